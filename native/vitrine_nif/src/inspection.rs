//! What a module says of itself, as terms.

use rustler::{Atom, Binary, Encoder, Env, NifMap, Term};
use vitrine_core::{Extern, Inspection, inspect};

use crate::reply::Asker;
use crate::{atoms, bytes, error};

/// Answers `{:vitrine_reply, id, {:ok, inspection} | {:error, details}}`.
#[rustler::nif(schedule = "DirtyCpu")]
fn inspect_module(env: Env<'_>, module: Binary, id: Term) -> Atom {
    let asker = Asker::new(env, id);
    inspect(module.as_slice().to_vec(), move |outcome| {
        asker.answer(|env| match outcome {
            Ok(inspection) => (atoms::ok(), encode(env, &inspection)).encode(env),
            Err(e) => error::encode(env, &e),
        });
    });
    atoms::ok()
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
    /// `{namespace, name}` of imports that the ABI lacks.
    unknown: Vec<Term<'a>>,
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
        Extern::Function(index) => function(env, found, *index),
        other => other_type(env, other),
    };
    let imports = found.imports.iter();
    let imports = imports
        .map(|(namespace, name, extern_type)| (namespace, name, ty(extern_type)).encode(env))
        .collect();
    let exports = found.exports.iter();
    let exports = exports
        .map(|(name, extern_type)| (name, ty(extern_type)).encode(env))
        .collect();
    let producers = found.producers.iter();
    let producers = producers
        .map(|(field, values)| (field, values).encode(env))
        .collect();
    let memories = found.memories.iter();
    let tables = found.tables.iter();
    InspectionTerm {
        sha256: bytes::hex(&found.sha256),
        component: found.component,
        name: found.name.encode(env),
        producers,
        imports,
        unknown: found
            .unknown
            .iter()
            .map(|import| import.encode(env))
            .collect(),
        exports,
        memories: memories
            .map(|m| other_type(env, &Extern::Memory(*m)))
            .collect(),
        tables: tables
            .map(|t| other_type(env, &Extern::Table(*t)))
            .collect(),
        start: found.start,
    }
    .encode(env)
}

fn function<'a>(env: Env<'a>, found: &Inspection, index: u32) -> Term<'a> {
    let types = |types: &[wasmparser::ValType]| types.iter().map(|ty| value(env, *ty)).collect();
    let ty = found.types.get(index as usize);
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
        Extern::Tag | Extern::Function(_) => TagTerm { kind: atoms::tag() }.encode(env),
    }
}

/// Numbers' types are atoms, those of references texts: of them there is no end.
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
