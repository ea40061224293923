//! Whether a plugin's modules can be linked, told from what they declare: before any of them is compiled, and for
//! who only wants to know. All that is wrong is told at once.

use std::collections::HashMap;

use vitrine_rewrite::{Export, Extern, Import, ModuleType};
use wasmparser::{FuncType, ValType};

use super::known::Known;
use super::order::{Edges, order, path};
use super::types::Types;
use super::unknown::{Missing, Unknown};
use super::wording::{Listed, chain, import, signature};
use super::{MAX_MODULES, MAX_STAND_INS, canonical, exported};
use crate::error::{Error, Reason};
use crate::host::extism::ENV;
use crate::host::function::HostFunction;
use crate::host::limits::{MEMORIES, TABLES};
use crate::host::wasi;
use crate::link::base::Base;
use crate::text::quoted;

/// Something that is wrong with a plugin's modules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What kind of failure it is.
    pub reason: Reason,
    /// A sentence for a person, without a full stop.
    pub message: String,
}

impl Fault {
    pub(super) fn link(message: impl Into<String>) -> Fault {
        let message = message.into();
        Fault {
            reason: Reason::Link,
            message,
        }
    }
}

/// The error that faults are, if there are any: the first one's reason, and all that are of it.
pub(crate) fn error(faults: &[Fault]) -> Option<Error> {
    let reason = faults.first()?.reason;
    let same = faults.iter().filter(|fault| fault.reason == reason);
    let mut message = String::new();
    for fault in same {
        let mut letters = fault.message.chars();
        match letters.next() {
            Some(first) if !message.is_empty() => {
                message += ". ";
                message.extend(first.to_uppercase());
                message += letters.as_str();
            }
            _ => message += &fault.message,
        }
    }
    Some(Error::new(reason, message))
}

/// What a plugin is to be made of, and what its modules may import.
pub(crate) struct Plan<'a> {
    pub(crate) modules: &'a [(&'a str, &'a ModuleType)],
    pub(crate) main: usize,
    pub(crate) functions: &'a [HostFunction],
    pub(crate) has_wasi: bool,
}

/// All that is wrong with the plan.
pub(crate) fn faults(plan: &Plan<'_>, base: &'static Base) -> Result<Vec<Fault>, Error> {
    let count = plan.modules.len();
    if count > MAX_MODULES {
        let why = format!("the plugin has {count} modules; the limit is {MAX_MODULES}");
        return Ok(vec![Fault::link(why)]);
    }
    let check = Check::of(plan, base.known()?);
    let mut faults = check.counts();
    match order(&check.edges()) {
        Ok(order) => faults.extend(check.imports(&order)),
        Err(circle) => faults.push(check.circle(&circle)),
    }
    Ok(faults)
}

struct Check<'a> {
    plan: &'a Plan<'a>,
    known: &'a Known,
    /// The host functions by namespace and name.
    functions: HashMap<(&'a str, &'a str), &'a HostFunction>,
    /// The exports of the modules that others import from, by their names.
    exports: HashMap<&'a str, (usize, HashMap<&'a str, &'a Export>)>,
    types: Types,
}

/// What is wrong with imports.
struct Found {
    unknown: Unknown,
    /// Those that are there, and are something else.
    others: Listed,
}

impl<'a> Check<'a> {
    fn of(plan: &'a Plan<'a>, known: &'a Known) -> Check<'a> {
        let mut functions = HashMap::new();
        for function in plan.functions {
            let name = (&*function.namespace, &*function.name);
            functions.entry(name).or_insert(function);
        }
        let names: HashMap<&str, usize> = {
            let names = plan.modules.iter().enumerate().rev();
            names.map(|(at, (name, _))| (*name, at)).collect()
        };
        let mut exports = HashMap::new();
        let imports = plan
            .modules
            .iter()
            .flat_map(|(_, interface)| &interface.imports);
        for import in imports {
            if let Some((name, at)) = names.get_key_value(&*import.namespace) {
                let of = || (*at, exported(plan.modules[*at].1, *at != plan.main));
                exports.entry(*name).or_insert_with(of);
            }
        }
        let types = match exports.is_empty() {
            true => Types::of(std::iter::empty()),
            false => Types::of(plan.modules.iter().map(|(_, interface)| *interface)),
        };
        Check {
            plan,
            known,
            functions,
            exports,
            types,
        }
    }

    fn find(&self, import: &Import) -> Option<(usize, &'a Export)> {
        let (module, exports) = self.exports.get(&*import.namespace)?;
        Some((*module, exports.get(&*import.name)?))
    }

    fn edges(&self) -> Vec<Edges> {
        let of = |interface: &ModuleType| {
            let mut edges = Edges::default();
            for import in &interface.imports {
                if let Some((module, export)) = self.find(import) {
                    let edges = match export.ty {
                        Extern::Function(_) => &mut edges.soft,
                        _ => &mut edges.hard,
                    };
                    if !edges.contains(&module) {
                        edges.push(module);
                    }
                }
            }
            edges
        };
        let modules = self.plan.modules.iter();
        modules.map(|(_, interface)| of(interface)).collect()
    }

    fn circle(&self, circle: &[usize]) -> Fault {
        let chain = chain(circle.iter().map(|&module| self.plan.modules[module].0));
        Fault::link(format!(
            "the modules import memories, tables, globals or tags in a circle: {chain}; only functions can be \
             imported so"
        ))
    }

    /// Instances have no more memories and tables than there are places for.
    fn counts(&self) -> Vec<Fault> {
        let modules = self.plan.modules;
        let sum = |of: fn(&ModuleType) -> usize| modules.iter().map(|(_, i)| of(i)).sum::<usize>();
        let counts = [
            ("memories", sum(ModuleType::own_memories), MEMORIES),
            ("tables", sum(ModuleType::own_tables), TABLES),
        ];
        let excess = counts
            .into_iter()
            .filter(|(_, count, most)| *count > most * modules.len());
        let told = excess.map(|(what, count, most)| {
            let (whose, each) = match modules.len() {
                1 => ("module has", ""),
                _ => ("modules have", " for each module"),
            };
            Fault::link(format!(
                "the {whose} {count} {what}; the limit is {most}{each}"
            ))
        });
        told.collect()
    }

    fn imports(&self, order: &[usize]) -> Vec<Fault> {
        let edges = self.edges();
        let mut found = Found {
            unknown: Unknown::default(),
            others: Listed::default(),
        };
        let mut stand_ins = std::collections::HashSet::new();
        for (place, &module) in order.iter().enumerate() {
            let (_, interface) = self.plan.modules[module];
            let way = path(&edges, self.plan.main, |end| end == module);
            let way = way
                .filter(|way| way.len() > 1)
                .map_or_else(String::new, |way| {
                    let chain = chain(way.iter().map(|&module| self.plan.modules[module].0));
                    format!(", in the chain of imports {chain}")
                });
            let lazy = module != self.plan.main && interface.is_command();
            // By their names, what untyped host functions are imported as.
            let mut declared = HashMap::new();
            for import in &interface.imports {
                let Some((from, export)) = self.find(import) else {
                    self.host(import, interface, &way, &mut declared, &mut found);
                    continue;
                };
                let command = from != self.plan.main && self.plan.modules[from].1.is_command();
                let at = order.iter().position(|&module| module == from);
                let is_later = !lazy && !command && at >= Some(place);
                if let Some(why) = self.other(module, import, from, export, is_later) {
                    found.others.add(|| why + &way);
                } else if is_later && matches!(export.ty, Extern::Function(_)) {
                    stand_ins.insert((from, &*export.name));
                }
            }
        }
        let mut faults = found.unknown.faults();
        faults.extend(found.others.into_faults("imports of other types"));
        if stand_ins.len() > MAX_STAND_INS {
            faults.push(Fault::link(format!(
                "{} functions are imported in circles; the limit is {MAX_STAND_INS}",
                stand_ins.len()
            )));
        }
        faults
    }

    /// What is wrong with an import from another module, which may be instantiated later.
    fn other(
        &self,
        module: usize,
        wanted: &Import,
        from: usize,
        export: &Export,
        is_later: bool,
    ) -> Option<String> {
        let (own, others) = (self.plan.modules[module].1, self.plan.modules[from].1);
        let (name, whose) = (import(wanted), quoted(self.plan.modules[from].0));
        if let (Extern::Function(want), Extern::Function(found)) = (wanted.ty, export.ty) {
            if !self.types.is_subtype((from, found), (module, want)) {
                let (want, found) = (
                    signature(own.function(want)),
                    signature(others.function(found)),
                );
                return Some(format!(
                    "the import {name} is declared as {want}, and the function of the module {whose} is {found}"
                ));
            }
            let plain = own
                .plain_function(want)
                .filter(|_| others.plain_function(found).is_some());
            return (is_later && !plain.is_some_and(can_stand_in)).then(|| {
                format!(
                    "the import {name} is of the circle of imports, and its type {} cannot be imported so",
                    signature(own.function(want))
                )
            });
        }
        if wanted.ty.kind() != export.ty.kind() {
            let (want, found) = (wanted.ty.kind(), export.ty.kind());
            return Some(format!(
                "the import {name} is declared as a {want}, and the module {whose} exports a {found} of that name"
            ));
        }
        let (from, found) = self.definition(from, export)?;
        let differs = match (wanted.ty, found) {
            (Extern::Memory(want), Extern::Memory(found)) => {
                want.memory64 != found.memory64
                    || !can_fit((want.initial, want.maximum), found.maximum)
            }
            (Extern::Table(want), Extern::Table(found)) => {
                want.table64 != found.table64
                    || !self
                        .types
                        .same_reference((module, want.element_type), (from, found.element_type))
                    || !can_fit((want.initial, want.maximum), found.maximum)
            }
            (Extern::Global(want), Extern::Global(found)) => {
                let same = self
                    .types
                    .same_value((module, want.content_type), (from, found.content_type));
                // Of constants that are references a subtype will do: that is found when they are there.
                let may_be = same
                    || (!want.mutable
                        && want.content_type.is_reference_type()
                        && found.content_type.is_reference_type());
                want.mutable != found.mutable || !may_be
            }
            (Extern::Tag(want), Extern::Tag(found)) => {
                !self.types.same((module, want), (from, found))
            }
            _ => true,
        };
        let kind = wanted.ty.kind();
        differs.then(|| {
            format!("the {kind} {name} that is imported is of another type in the module {whose}")
        })
    }

    /// What an export is where it is defined, which may be another module than the one that hands it on; and where.
    fn definition(&self, mut module: usize, export: &'a Export) -> Option<(usize, Extern)> {
        let mut export = export;
        for _ in self.plan.modules {
            let Some(import) = self.plan.modules[module].1.handed_on(export) else {
                return Some((module, export.ty));
            };
            (module, export) = self.find(import)?;
        }
        None
    }

    /// What is wrong with an import from the host.
    fn host<'i>(
        &self,
        wanted: &'i Import,
        interface: &'i ModuleType,
        way: &str,
        declared: &mut HashMap<(&'i str, &'i str), &'i FuncType>,
        found: &mut Found,
    ) {
        let ns_name = (&*wanted.namespace, &*wanted.name);
        let function = self.functions.get(&ns_name).copied();
        let theirs = function.map(|function| match wanted.ty {
            Extern::Function(ty) => function.plain_type(interface.function(ty)),
            _ => FuncType::new([], []),
        });
        let (namespace, name) = canonical(ns_name.0, ns_name.1);
        let owned = match namespace {
            ENV => self.known.abi.get(name),
            wasi::NAMESPACE if self.plan.has_wasi => self.known.wasi.get(name),
            _ => None,
        };
        let (whose, expected) = match (&theirs, owned) {
            (Some(ty), _) => ("the host function", ty),
            (None, Some(ty)) if namespace == ENV => ("the ABI's function", ty),
            (None, Some(ty)) => ("WASI's function", ty),
            (None, None) => {
                return found
                    .unknown
                    .add(wanted, way, || self.missing(wanted, interface));
            }
        };
        let import = import(wanted);
        let Extern::Function(ty) = wanted.ty else {
            let kind = wanted.ty.kind();
            return found.others.add(|| {
                format!("the import {import} is declared as a {kind}, and {whose} of that name is a function{way}")
            });
        };
        let want = interface.function(ty);
        if want != Some(expected) {
            let numbers = |types: &[ValType]| {
                types.iter().all(|ty| {
                    matches!(
                        ty,
                        ValType::I32 | ValType::I64 | ValType::F32 | ValType::F64
                    )
                })
            };
            let hint = match (function, want) {
                (Some(_), Some(ty)) if !numbers(ty.params()) || !numbers(ty.results()) => {
                    "; references and vectors cannot be passed to a host function, numbers and bytes can"
                }
                (Some(function), _) if function.signature.is_none() => {
                    "; declare its types with Vitrine.HostFunction.new/5"
                }
                _ => "",
            };
            return found.others.add(|| {
                let (want, expected) = (signature(want), signature(Some(expected)));
                format!("the import {import} is declared as {want}, and {whose} is {expected}{way}{hint}")
            });
        }
        if interface.plain_function(ty).is_none() {
            return found.others.add(|| {
                format!(
                    "the import {import} is declared as a type of a group or with subtypes, and {whose} is of \
                     neither{way}"
                )
            });
        }
        if let Some(want) = want
            && let Some(other) = declared
                .insert(ns_name, want)
                .filter(|other| *other != want)
        {
            found.others.add(|| {
                let (one, other) = (signature(Some(other)), signature(Some(want)));
                format!("the import {import} is declared twice, as {one} and as {other}{way}")
            });
        }
    }

    fn missing<'i>(&self, import: &'i Import, interface: &'i ModuleType) -> Missing<'i>
    where
        'a: 'i,
    {
        let module = self.exports.get(&*import.namespace);
        Missing {
            import,
            function: match import.ty {
                Extern::Function(ty) => interface.function(ty),
                _ => None,
            },
            exports: module.map(|(_, exports)| exports.keys().copied().collect()),
            functions: self.plan.functions,
            has_wasi: self.plan.has_wasi,
            known: self.known,
        }
    }
}

/// Whether something of these limits can be what is there when it is there: that may have grown until then.
fn can_fit((least, most): (u64, Option<u64>), limit: Option<u64>) -> bool {
    let grows = limit.is_none_or(|limit| limit >= least);
    grows && most.is_none_or(|most| limit.is_some_and(|limit| limit <= most))
}

/// Whether a trampoline can stand in for a function of this type.
fn can_stand_in(ty: &FuncType) -> bool {
    use wasmparser::{RefType, ValType};
    let mut values = ty.params().iter().chain(ty.results());
    values.all(|ty| match ty {
        ValType::Ref(reference) => [RefType::FUNCREF, RefType::EXTERNREF].contains(reference),
        _ => true,
    })
}
