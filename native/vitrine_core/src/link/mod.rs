//! Where each import of a plugin's modules comes from: decided once, for all plugins that are made
//! of them.

pub(crate) mod base;
mod callable;
mod check;
mod fused;
pub(crate) mod inspect;
mod known;
mod order;
mod plan;
mod resolve;
pub(crate) mod store;
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
pub(crate) use resolve::{link, unlinkable};
pub(crate) use trampoline::Trampolines;
pub(crate) use vitrine_rewrite::names::canonical;

use crate::compile::compiled::CompiledModule;
use crate::error::{Error, Reason};
use crate::link::base::Base;
use crate::link::callable::not_callable;
use crate::link::store::StoreData;
use crate::schedule::instantiation::Predictor;

/// More would only be an attack.
const MAX_MODULES: usize = 32;
/// Functions that are imported in circles. They are compiled while the process waits that links.
const MAX_STAND_INS: usize = 1_000;

/// The modules of a plugin, with the names that others import them by.
pub type Modules = Vec<(String, Arc<CompiledModule>)>;

/// Compiled modules with all that they import found: what any number of plugins share. Nothing of
/// them has run.
pub struct LinkedPlugin {
    pub(crate) base: &'static Base,
    /// In the order in which they are instantiated.
    pub(crate) modules: Vec<LinkedModule>,
    /// The one whose functions are called.
    pub(crate) main: usize,
    /// The functions that are not of a module: the host's, the ABI's, WASI's, and those that
    /// stand for commands.
    pub(crate) linker: Linker<StoreData>,
    pub(crate) trampolines: Option<Trampolines>,
    /// Whether they may import WASI: then each plugin must be granted some.
    pub(crate) has_wasi: bool,
    /// Whether the blocks that they give to the host's functions remain their own.
    pub(crate) lends_blocks: bool,
    /// Whether one of the modules is no work for normal schedulers.
    pub(crate) uninterruptible: bool,
    /// Whether one of the sources is [`Source::Blank`].
    pub(crate) has_blank_memory: bool,
    /// Whether making an instance takes long.
    pub(crate) predictor: Predictor,
}

impl LinkedPlugin {
    /// The module whose functions are called.
    pub fn main(&self) -> &Arc<CompiledModule> {
        &self.modules[self.main].compiled
    }

    /// The name of the module whose functions are called.
    pub(crate) fn name(&self) -> &str {
        &self.modules[self.main].name
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
        if self.base.settings.dense {
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
    pub(crate) compiled: Arc<CompiledModule>,
    /// One for each import.
    pub(crate) sources: Vec<Source>,
    /// All of it resolved, if nothing is imported but what the linker has.
    pub(crate) pre: Option<InstancePre<StoreData>>,
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
