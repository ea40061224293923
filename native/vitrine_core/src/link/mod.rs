//! Linking: decides where each import of a plugin's modules comes from. That is decided once, for all plugins that are
//! made of the same modules, and nothing runs while it is decided.
//!
//! [`LinkedPlugin`], the result, is here. To follow how it is made, read these files in this order:
//!
//! * `plan`, `inspect`: the questions that can be asked before anything is compiled.
//! * `check`: everything that can be wrong, read from the declarations of the modules. It uses `known` (the host's
//!   functions), `types` (compares types across modules), `order` (the order of instantiation) and `fault`, and words
//!   its messages with `unknown`, `toolchains`, `callable` and `wording`.
//! * `resolve`: finds the source of every import of modules that passed the check, with `trampoline` for functions that
//!   are imported in a circle and `fused` for the kernel's memory.
//! * `base`: the kernel and the linkers that all plugins with the same settings start from.
//! * `store`: the data of a store, which the instances of a linked plugin are put into.

pub(crate) mod base;
mod callable;
mod check;
mod fault;
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

use check::{Plan, faults};
pub use fault::Fault;
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

/// The most modules of a plugin. No honest plugin has as many.
const MAX_MODULES: usize = 32;
/// The most functions that are imported in circles. Their trampolines are compiled while the process that links waits.
const MAX_TRAMPOLINES: usize = 1_000;

/// The modules of a plugin, with the names by which other modules import from them.
pub type Modules = Vec<(String, Arc<CompiledModule>)>;

/// Compiled modules with the sources of all their imports. Any number of plugins share it. None of its code has run.
pub struct LinkedPlugin {
    pub(crate) base: &'static Base,
    /// In the order in which they are instantiated.
    pub(crate) modules: Vec<LinkedModule>,
    /// The place of the module whose functions are called.
    pub(crate) main: usize,
    /// The functions that no instance in the store exports: those of the host, the ABI and WASI, and those that call
    /// commands.
    pub(crate) linker: Linker<StoreData>,
    pub(crate) trampolines: Option<Trampolines>,
    /// Whether the modules may import WASI. If so, WASI must be granted to each plugin.
    pub(crate) has_wasi: bool,
    /// Whether the modules keep the blocks that they pass to the host's functions.
    pub(crate) lends_blocks: bool,
    /// Whether one of the modules must not run on normal schedulers.
    pub(crate) uninterruptible: bool,
    /// Whether one of the imports comes from [`Source::Blank`].
    pub(crate) has_blank_memory: bool,
    /// Predicts whether making an instance takes long.
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
        let modules: Vec<_> = modules
            .map(|m| (&*m.name, &m.compiled.module_type))
            .collect();
        not_callable(name, &modules, self.main).unwrap_or_else(|| {
            Error::new(Reason::FunctionNotFound, "the function cannot be called")
        })
    }

    /// The most mappings that the memories of an instance take. Instances of commands are not included.
    pub fn mappings(&self) -> u64 {
        if self.base.settings.dense {
            return 0;
        }
        let modules = self.modules.iter().map(|module| &module.compiled);
        let instances = modules.filter(|compiled| !compiled.command);
        // Three more: the kernel's memory, the blank one, and the heap of the garbage collector.
        mappings::of_memories(3) + instances.map(|m| m.mappings()).sum::<u64>()
    }
}

/// A module, and where each of its imports comes from.
pub(crate) struct LinkedModule {
    pub(crate) name: String,
    pub(crate) compiled: Arc<CompiledModule>,
    /// The source of each import, in the order of the imports.
    pub(crate) sources: Vec<Source>,
    /// The module with its imports resolved, if the linker has all of them.
    pub(crate) pre: Option<InstancePre<StoreData>>,
    /// The functions that trampolines call, with their slots in the trampolines' table.
    pub(crate) trampoline_targets: Vec<(u64, ModuleExport)>,
    /// The chain of imports from the main module to this one, for errors.
    pub(crate) way: String,
}

/// The source of an import.
pub(crate) enum Source {
    /// An export of the kernel.
    Kernel(ModuleExport),
    /// A memory that is and stays all zero, in the place of the kernel's memory.
    Blank,
    /// A function that the linker has under this name, which can differ from the name of the import.
    Linker { namespace: String, name: String },
    /// A function that calls a command, which the linker has under this name. The command is instantiated when it is
    /// called.
    Command { namespace: String, name: String },
    /// An export of a module that is instantiated earlier.
    Module { module: usize, export: ModuleExport },
    /// The trampoline in this slot. It jumps to a function of a module that is instantiated later.
    Trampoline(usize),
}

/// The exports that other modules can import from a module, by name. Of a command they can import functions only: its
/// state is its own. Only a library is treated as a command.
fn exported(interface: &ModuleType, is_library: bool) -> HashMap<&str, &Export> {
    let command = is_library && interface.is_command();
    let exports = interface.exports.iter();
    let theirs = exports.filter(|export| {
        !command || (export.ty.kind() == "function" && export.name != state_exports::START)
    });
    theirs.map(|export| (&*export.name, export)).collect()
}

/// Whether a function of the type `found` can be imported as one of the type `wanted`.
fn fits(found: &FuncType, wanted: &FuncType) -> bool {
    found.matches(wanted)
}
