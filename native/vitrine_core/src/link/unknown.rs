//! Reports the imports that nothing provides, all at once, with advice for each.

use vitrine_rewrite::{Extern, Import};
use wasmparser::FuncType;

use super::known::Known;
use super::wording::{MOST, import};
use super::{Fault, canonical, toolchains};
use crate::host::extism::ENV;
use crate::host::function::HostFunction;
use crate::host::wasi;
use crate::nearest::{did_you_mean, nearest};
use crate::text::quoted;

/// The most unknown imports that advice is looked up for. The rest are only counted.
const LOOKED_AT: usize = 200;

/// The unknown imports of a plugin, grouped by the advice for them.
#[derive(Default)]
pub(super) struct Unknown {
    groups: Vec<Group>,
    looked_at: usize,
    /// How many more there are, in no group.
    more: usize,
}

struct Group {
    way: String,
    advice: String,
    names: Vec<String>,
    more: usize,
}

impl Unknown {
    pub(super) fn add<'a>(
        &mut self,
        wanted: &Import,
        way: &str,
        missing: impl FnOnce() -> Missing<'a>,
    ) {
        if self.looked_at == LOOKED_AT {
            self.more += 1;
            return;
        }
        self.looked_at += 1;
        let advice = missing().advice();
        let mut groups = self.groups.iter_mut();
        match groups.find(|group| group.advice == advice && group.way == way) {
            Some(group) if group.names.len() == MOST => group.more += 1,
            Some(group) => group.names.push(shown(wanted)),
            None => self.groups.push(Group {
                way: way.into(),
                advice,
                names: vec![shown(wanted)],
                more: 0,
            }),
        }
    }

    pub(super) fn faults(self) -> Vec<Fault> {
        let beyond = self.groups.iter().skip(MOST);
        let beyond: usize = beyond.map(|group| group.names.len() + group.more).sum();
        let more = beyond + self.more;
        let mut faults: Vec<_> = self
            .groups
            .into_iter()
            .take(MOST)
            .map(Group::fault)
            .collect();
        if more > 0 {
            faults.push(Fault::link(format!("{more} more imports are unknown")));
        }
        faults
    }
}

impl Group {
    fn fault(self) -> Fault {
        let more = match self.more {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let (imports, are) = match self.names.len() {
            1 => ("import", "is"),
            _ => ("imports", "are"),
        };
        let (names, way, advice) = (self.names.join(", "), self.way, self.advice);
        Fault::link(format!(
            "the {imports} {names}{more} {are} unknown{way}{advice}"
        ))
    }
}

/// The name of an import, and its kind if it is not a function.
fn shown(wanted: &Import) -> String {
    match wanted.ty {
        Extern::Function(_) => import(wanted),
        other => format!("{} (a {})", import(wanted), other.kind()),
    }
}

/// An import that nothing provides, and what there is instead.
pub(super) struct Missing<'a> {
    pub(super) import: &'a Import,
    pub(super) function: Option<&'a FuncType>,
    /// The exports of the module whose name is the namespace of the import, if there is one.
    pub(super) exports: Option<Vec<&'a str>>,
    pub(super) functions: &'a [HostFunction],
    pub(super) has_wasi: bool,
    pub(super) known: &'a Known,
}

impl Missing<'_> {
    /// The advice for the import. It begins with a semicolon.
    fn advice(&self) -> String {
        let (namespace, name) = (&*self.import.namespace, &*self.import.name);
        if let Some(exports) = &self.exports {
            let nearest = did_you_mean(&nearest(name, exports.iter().copied(), 1));
            return format!(
                "; the module {} does not export it{nearest}",
                quoted(namespace)
            );
        }
        if self.function.is_none() && !matches!(self.import.ty, Extern::Function(_)) {
            return format!("; {}", toolchains::no_function(self.import));
        }
        let (family, short) = canonical(namespace, name);
        match family {
            ENV => self.abi(namespace, name, short),
            wasi::NAMESPACE => self.wasi(name),
            _ => self.host(namespace, name),
        }
    }

    fn abi(&self, namespace: &str, name: &str, short: &str) -> String {
        let mut advice = "; this version of the Extism ABI has no such function".to_owned();
        let names = nearest(short, self.known.abi.keys().map(|name| &**name), 1);
        match namespace == ENV {
            true => advice += &did_you_mean(&names),
            false => {
                let old: Vec<_> = names.iter().map(|name| format!("extism_{name}")).collect();
                let old: Vec<_> = old.iter().map(|name| &**name).collect();
                advice += &did_you_mean(&old);
            }
        }
        // Perhaps a host function of this name was given in another namespace.
        self.elsewhere(namespace, name).unwrap_or(advice)
    }

    fn wasi(&self, name: &str) -> String {
        let functions = &self.known.wasi;
        if functions.contains_key(name) && !self.has_wasi {
            return "; the plugin needs WASI, which is not granted: give wasi: true".into();
        }
        let names = nearest(name, functions.keys().map(|name| &**name), 1);
        let hint = match toolchains::advice(wasi::NAMESPACE, name, self.function) {
            Some(toolchain) => format!("; {toolchain}"),
            None => did_you_mean(&names),
        };
        format!("; WASI preview 1 has no such function{hint}")
    }

    fn host(&self, namespace: &str, name: &str) -> String {
        if let Some(elsewhere) = self.elsewhere(namespace, name) {
            return elsewhere;
        }
        let given = self.functions.iter();
        let given = given.filter(|function| function.namespace == namespace);
        let names = nearest(name, given.map(|function| &*function.name), 1);
        if !names.is_empty() {
            return did_you_mean(&names);
        }
        if self.known.abi.contains_key(name) && toolchains::is_common(namespace) {
            return format!("; the ABI's function of this name is of the namespace \"{ENV}\"");
        }
        if self.known.wasi.contains_key(name) && namespace.starts_with("wasi") {
            return match toolchains::advice(namespace, name, self.function) {
                Some(toolchain) => format!("; {toolchain}"),
                None => format!("; WASI preview 1 is \"{}\"", wasi::NAMESPACE),
            };
        }
        match toolchains::advice(namespace, name, self.function) {
            Some(toolchain) => format!("; {toolchain}"),
            None if namespace == "env" => {
                "; is a host function missing from host_functions? If it is not to be one, it is a symbol that the \
                 linker did not find and was told to allow (--allow-undefined)"
                    .into()
            }
            None => "; is a host function missing from host_functions?".into(),
        }
    }

    /// The advice if a host function of this name is given in another namespace.
    fn elsewhere(&self, namespace: &str, name: &str) -> Option<String> {
        let same = self
            .functions
            .iter()
            .find(|function| function.name == name)?;
        Some(format!(
            "; a host function of this name is given in the namespace {}: give it with namespace: {}",
            quoted(&same.namespace),
            quoted(namespace)
        ))
    }
}
