//! Checks whether a plugin's modules can be linked. The check reads only what the modules declare, so it works before
//! any of them is compiled. It reports everything that is wrong at once.

use std::collections::{HashMap, HashSet};

use vitrine_rewrite::{Export, Extern, Import, ModuleType};
use wasmparser::{FuncType, ValType};

use super::known::Known;
use super::order::{Edges, order, path};
use super::types::Types;
use super::unknown::{Missing, Unknown};
use super::wording::{Listed, chain, import, signature};
use super::{Fault, MAX_MODULES, MAX_TRAMPOLINES, canonical, exported};
use crate::error::Error;
use crate::host::extism::ENV;
use crate::host::function::HostFunction;
use crate::host::limits::{MEMORIES, TABLES};
use crate::host::wasi;
use crate::link::base::Base;
use crate::text::quoted;

/// The modules that a plugin is to be made of, and what they may import from the host.
pub(crate) struct Plan<'a> {
    pub(crate) modules: &'a [(&'a str, &'a ModuleType)],
    pub(crate) main: usize,
    pub(crate) functions: &'a [HostFunction],
    pub(crate) has_wasi: bool,
}

/// Everything that is wrong with the plan.
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
    /// The host functions, by namespace and name.
    functions: HashMap<(&'a str, &'a str), &'a HostFunction>,
    /// The modules that other modules import from, by name: their places, and their exports by name.
    exports: HashMap<&'a str, (usize, HashMap<&'a str, &'a Export>)>,
    types: Types,
}

/// The faults of imports.
struct Found {
    unknown: Unknown,
    /// Imports that exist but have another type.
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
             imported in a circle"
        ))
    }

    /// The faults of plugins with more memories or tables than an instance has places for.
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
        let mut trampolines = HashSet::new();
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
            // The types as which untyped host functions are imported, by their names.
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
                    trampolines.insert((from, &*export.name));
                }
            }
        }
        let mut faults = found.unknown.faults();
        faults.extend(found.others.into_faults("imports of other types"));
        if trampolines.len() > MAX_TRAMPOLINES {
            faults.push(Fault::link(format!(
                "{} functions are imported in circles; the limit is {MAX_TRAMPOLINES}",
                trampolines.len()
            )));
        }
        faults
    }

    /// The fault of an import from another module, if it has one. With `is_later`, that module is instantiated later.
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
            return (is_later && !plain.is_some_and(can_be_trampoline)).then(|| {
                format!(
                    "the import {name} is part of a circle of imports, and functions of the type {} cannot be imported in a \
                     circle",
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
                // A constant reference may be of a subtype. That is only known once the module is instantiated.
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

    /// The module that defines an export, and the export's type there. A module may hand on what it imports from another one.
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

    /// Checks an import from the host, and adds its fault to `found`.
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
                    "the import {import} is declared with a type that is part of a recursion group or has subtypes, and \
                     {whose} has a plain type{way}"
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

/// Whether a memory or table that is imported with these limits can be one whose maximum is `limit`. Its initial size
/// is not compared: it may have grown before it is imported.
fn can_fit((least, most): (u64, Option<u64>), limit: Option<u64>) -> bool {
    let grows = limit.is_none_or(|limit| limit >= least);
    grows && most.is_none_or(|most| limit.is_some_and(|limit| limit <= most))
}

/// Whether there can be a trampoline of this type.
fn can_be_trampoline(ty: &FuncType) -> bool {
    use wasmparser::{RefType, ValType};
    let mut values = ty.params().iter().chain(ty.results());
    values.all(|ty| match ty {
        ValType::Ref(reference) => [RefType::FUNCREF, RefType::EXTERNREF].contains(reference),
        _ => true,
    })
}
