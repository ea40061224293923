//! Encodes what a module declares: its imports, exports and types, and the reasons why it cannot be linked.

use rustler::{Atom, Binary, Encoder, Env, Error, NifMap, NifResult, Term};
use vitrine_core::{Extern, Fault, Inspection, ModuleType, Planned, inspect, plan};

use crate::options::LinkTerm;
use crate::reply::Asker;
use crate::{atoms, bytes, error};

/// Answers `{:vitrine_reply, id, {:ok, inspection} | {:error, details}}`.
#[rustler::nif(schedule = "DirtyCpu")]
fn inspect_module(env: Env<'_>, module: Binary, options: LinkTerm, id: Term) -> NifResult<Atom> {
    let (asker, grants) = (Asker::new(env, id), options.decode()?);
    inspect(module.as_slice().to_vec(), grants, move |outcome| {
        asker.answer(|env| match outcome {
            Ok(inspection) => (atoms::ok(), encode(env, &inspection)).encode(env),
            Err(e) => error::encode(env, &e),
        });
    });
    Ok(atoms::ok())
}

/// Reads what modules, `{name, bytes}` each, declare, and finds the reasons why they cannot be linked. The module at `main` is
/// the one that is called. Answers `{:vitrine_reply, id, {:ok, {interfaces, logs, faults}} | {:error, details}}`. An interface
/// is `{functions, exports, imports}`: the names of plugin functions, the names of all exports, and
/// `{namespace, name, parameters}` for each import, where `parameters` is their number, or `nil` if the import is not a function.
#[rustler::nif(schedule = "DirtyCpu")]
fn plan_modules(
    env: Env<'_>,
    modules: Vec<(String, Binary)>,
    main: usize,
    options: LinkTerm,
    id: Term,
) -> NifResult<Atom> {
    if main >= modules.len() {
        return Err(Error::BadArg);
    }
    let (asker, grants) = (Asker::new(env, id), options.decode()?);
    let modules = modules.into_iter();
    let modules = modules.map(|(name, bytes)| (name, bytes.as_slice().to_vec()));
    plan(modules.collect(), main, grants, move |outcome| {
        asker.answer(|env| match outcome {
            Ok(planned) => (atoms::ok(), planned_term(env, &planned)).encode(env),
            Err(e) => error::encode(env, &e),
        });
    });
    Ok(atoms::ok())
}

fn planned_term<'a>(env: Env<'a>, planned: &Planned) -> Term<'a> {
    let interfaces = planned.interfaces.iter();
    let interfaces: Vec<_> = interfaces.map(|found| interface(env, found)).collect();
    (interfaces, planned.logs, faults(env, &planned.faults)).encode(env)
}

fn interface<'a>(env: Env<'a>, found: &ModuleType) -> Term<'a> {
    let mut functions: Vec<_> = found.plugin_functions().collect();
    functions.sort_unstable();
    let exports: Vec<_> = found.exports.iter().map(|export| &*export.name).collect();
    let imports = found.imports.iter().map(|import| {
        let params = match import.ty {
            Extern::Function(ty) => found.function(ty).map(|ty| ty.params().len()),
            _ => None,
        };
        (&*import.namespace, &*import.name, params)
    });
    (functions, exports, imports.collect::<Vec<_>>()).encode(env)
}

/// `{reason, message}` each.
fn faults<'a>(env: Env<'a>, faults: &[Fault]) -> Vec<Term<'a>> {
    let faults = faults.iter();
    let terms = faults.map(|fault| (error::reason(fault.reason), &*fault.message).encode(env));
    terms.collect()
}

#[derive(NifMap)]
struct InspectionTerm<'a> {
    sha256: String,
    component: bool,
    /// A string or `nil`.
    name: Term<'a>,
    /// `{field, [{name, version}]}` each.
    producers: Vec<Term<'a>>,
    /// `{namespace, name, type}` each.
    imports: Vec<Term<'a>>,
    /// The reasons why it cannot be linked, `{reason, message}` each.
    faults: Vec<Term<'a>>,
    /// `{name, type}` each.
    exports: Vec<Term<'a>>,
    memories: Vec<Term<'a>>,
    tables: Vec<Term<'a>>,
    start: Option<u32>,
}

#[derive(NifMap)]
struct FunctionTerm<'a> {
    kind: Atom,
    params: Vec<Term<'a>>,
    results: Vec<Term<'a>>,
}

#[derive(NifMap)]
struct MemoryTerm {
    kind: Atom,
    min_pages: u64,
    max_pages: Option<u64>,
    memory64: bool,
}

#[derive(NifMap)]
struct TableTerm<'a> {
    kind: Atom,
    element: Term<'a>,
    min: u64,
    max: Option<u64>,
}

#[derive(NifMap)]
struct GlobalTerm<'a> {
    kind: Atom,
    r#type: Term<'a>,
    mutable: bool,
}

#[derive(NifMap)]
struct TagTerm {
    kind: Atom,
}

fn encode<'a>(env: Env<'a>, found: &Inspection) -> Term<'a> {
    let ty = |ty: &Extern| match ty {
        Extern::Function(index) => function(env, &found.interface, *index),
        other => other_type(env, other),
    };
    let imports = found.interface.imports.iter();
    let imports = imports
        .map(|import| (&import.namespace, &import.name, ty(&import.ty)).encode(env))
        .collect();
    let exports = found.interface.exports.iter();
    let exports = exports
        .map(|export| (&export.name, ty(&export.ty)).encode(env))
        .collect();
    let producers = found.producers.iter();
    let producers = producers
        .map(|(field, values)| (field, values).encode(env))
        .collect();
    let memories = found.interface.memories.iter();
    let tables = found.interface.tables.iter();
    InspectionTerm {
        sha256: bytes::hex(&found.sha256),
        component: found.component,
        name: found.name.encode(env),
        producers,
        imports,
        faults: faults(env, &found.faults),
        exports,
        memories: memories
            .map(|m| other_type(env, &Extern::Memory(*m)))
            .collect(),
        tables: tables
            .map(|t| other_type(env, &Extern::Table(*t)))
            .collect(),
        start: found.interface.start,
    }
    .encode(env)
}

fn function<'a>(env: Env<'a>, found: &ModuleType, index: u32) -> Term<'a> {
    let types = |types: &[wasmparser::ValType]| types.iter().map(|ty| value(env, *ty)).collect();
    let ty = found.function(index);
    FunctionTerm {
        kind: atoms::function(),
        params: ty.map_or_else(Vec::new, |ty| types(ty.params())),
        results: ty.map_or_else(Vec::new, |ty| types(ty.results())),
    }
    .encode(env)
}

fn other_type<'a>(env: Env<'a>, ty: &Extern) -> Term<'a> {
    match ty {
        Extern::Memory(ty) => MemoryTerm {
            kind: atoms::memory(),
            min_pages: ty.initial,
            max_pages: ty.maximum,
            memory64: ty.memory64,
        }
        .encode(env),
        Extern::Table(ty) => TableTerm {
            kind: atoms::table(),
            element: ty.element_type.to_string().encode(env),
            min: ty.initial,
            max: ty.maximum,
        }
        .encode(env),
        Extern::Global(ty) => GlobalTerm {
            kind: atoms::global(),
            r#type: value(env, ty.content_type),
            mutable: ty.mutable,
        }
        .encode(env),
        Extern::Tag(_) | Extern::Function(_) => TagTerm { kind: atoms::tag() }.encode(env),
    }
}

/// Types of numbers are atoms. Types of references are texts, because there is an unlimited number of them.
fn value<'a>(env: Env<'a>, ty: wasmparser::ValType) -> Term<'a> {
    use wasmparser::ValType;
    match ty {
        ValType::I32 => atoms::i32().encode(env),
        ValType::I64 => atoms::i64().encode(env),
        ValType::F32 => atoms::f32().encode(env),
        ValType::F64 => atoms::f64().encode(env),
        ValType::V128 => atoms::v128().encode(env),
        ValType::Ref(ty) => ty.to_string().encode(env),
    }
}
