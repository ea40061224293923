//! Where each import of a plugin's modules comes from: decided once, for all plugins that are made
//! of them.

mod check;
mod fused;
mod known;
mod order;
mod plan;
mod resolve;
mod toolchains;
mod trampoline;
mod types;
mod unknown;
mod wording;

use std::collections::HashMap;
use std::sync::Arc;

use vitrine_memory::mappings;
use vitrine_rewrite::state_exports;
use vitrine_rewrite::{Export, ModuleType};
use wasmtime::{FuncType, InstancePre, Linker, ModuleExport};

pub use check::Fault;
use check::{Plan, faults};
pub(crate) use known::Known;
pub use plan::{Grants, Planned, plan};
pub(crate) use plan::{snapshot_fault, with_grants};
pub(crate) use resolve::unlinkable;
pub(crate) use trampoline::Trampolines;
pub(crate) use vitrine_rewrite::names::canonical;

use crate::abi::{self, ENV};
use crate::callable::not_callable;
use crate::compiled::Compiled;
use crate::error::{Error, Reason};
use crate::host_function::HostFunction;
use crate::making::Making;
use crate::platform::Platform;
use crate::state::HostState;

/// More would only be an attack.
const MAX_MODULES: usize = 32;
/// Functions that are imported in circles. They are compiled while the process waits that links.
const MAX_STAND_INS: usize = 1_000;

/// The modules of a plugin, with the names that others import them by.
pub type Modules = Vec<(String, Arc<Compiled>)>;

/// Compiled modules with all that they import found: what any number of plugins share. Nothing of
/// them has run.
pub struct Links {
    pub(crate) platform: &'static Platform,
    /// In the order in which they are instantiated.
    pub(crate) modules: Vec<LinkedModule>,
    /// The one whose functions are called.
    pub(crate) main: usize,
    /// The functions that are not of a module: the host's, the ABI's, WASI's, and those that
    /// stand for commands.
    pub(crate) linker: Linker<HostState>,
    pub(crate) trampolines: Option<Trampolines>,
    /// Whether they may import WASI: then each plugin must be granted some.
    pub(crate) has_wasi: bool,
    /// Whether the blocks that they give to the host's functions remain their own.
    pub(crate) lends_blocks: bool,
    /// Whether one of the modules is no work for normal schedulers.
    pub(crate) long_steps: bool,
    /// Whether one of the sources is [`Source::Blank`].
    pub(crate) has_blank_memory: bool,
    pub(crate) making: Making,
}

impl Links {
    /// Links the modules, of which the one at `main` is called. They may import these host
    /// functions, and WASI if it is wanted.
    ///
    /// # Panics
    ///
    /// If there is no module at `main`.
    pub fn new(
        modules: &Modules,
        main: usize,
        host_functions: &[HostFunction],
        has_wasi: bool,
    ) -> Result<Arc<Links>, Error> {
        resolve::link(modules, main, host_functions, has_wasi).map(Arc::new)
    }

    /// The module whose functions are called.
    pub fn main(&self) -> &Arc<Compiled> {
        &self.modules[self.main].compiled
    }

    /// Why the main module has no plugin function of this name.
    pub(crate) fn not_callable(&self, name: &str) -> Error {
        let modules = self.modules.iter();
        let modules: Vec<_> = modules.map(|m| (&*m.name, &m.compiled.interface)).collect();
        not_callable(name, &modules, self.main).unwrap_or_else(|| {
            Error::new(Reason::FunctionNotFound, "the function cannot be called")
        })
    }

    /// The most mappings that the memories of an instance take, without those of commands.
    pub fn mappings(&self) -> u64 {
        if self.platform.dense {
            return 0;
        }
        let modules = self.modules.iter().map(|module| &module.compiled);
        let instances = modules.filter(|compiled| !compiled.command);
        // And the kernel's, the blank one, and the heap of the garbage collector.
        mappings::of_memories(3) + instances.map(|m| m.mappings()).sum::<u64>()
    }
}

pub(crate) struct LinkedModule {
    pub(crate) name: String,
    pub(crate) compiled: Arc<Compiled>,
    /// One for each import.
    pub(crate) sources: Vec<Source>,
    /// All of it resolved, if nothing is imported but what the linker has.
    pub(crate) pre: Option<InstancePre<HostState>>,
    /// Functions that are to be put into the trampolines' table, with their slots.
    pub(crate) stands_for: Vec<(u64, ModuleExport)>,
    /// How the main module comes to import from it, for errors.
    pub(crate) way: String,
}

/// Where an import comes from.
pub(crate) enum Source {
    Kernel(ModuleExport),
    /// A memory that is all zero and stays so, in the place of the kernel's.
    Blank,
    /// A function of the linker, under this name: not always the import's own.
    Linker {
        namespace: String,
        name: String,
    },
    /// An export of a module that is instantiated earlier.
    Module {
        module: usize,
        export: ModuleExport,
    },
    /// The stand-in, in this slot, for a function of a module that is instantiated later.
    Trampoline(usize),
}

/// What can be told of a module's imports before anything is linked.
#[derive(Default)]
pub(crate) struct Needs {
    pub(crate) logs: bool,
    /// Whether it is of the ABI before version 1.0.
    pub(crate) old_abi: bool,
}

impl Needs {
    pub(crate) fn of(interface: &ModuleType) -> Needs {
        let mut needs = Needs::default();
        for import in &interface.imports {
            let (namespace, name) = canonical(&import.namespace, &import.name);
            needs.logs |= namespace == ENV && abi::is_log_function(name);
            needs.old_abi |= namespace != import.namespace;
        }
        needs
    }
}

/// What other modules find in a module, by name. A command, which only libraries are, has functions for them: its state
/// is nobody else's.
fn exported(interface: &ModuleType, is_library: bool) -> HashMap<&str, &Export> {
    let command = is_library && interface.is_command();
    let exports = interface.exports.iter();
    let theirs = exports.filter(|export| {
        !command || (export.ty.kind() == "function" && export.name != state_exports::START)
    });
    theirs.map(|export| (&*export.name, export)).collect()
}

/// Whether a function of one type can be imported as another.
fn fits(found: &FuncType, wanted: &FuncType) -> bool {
    found.matches(wanted)
}
