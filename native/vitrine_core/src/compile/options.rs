//! The options of compiling, and the origins of native code.

use vitrine_rewrite::{Plan, Stage};

use crate::compile::engine::Settings;

/// The largest module that is compiled, in bytes.
pub const MAX_MODULE_SIZE: usize = 128 << 20;

/// The options with which a module is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CompileOptions {
    /// The settings of the engine.
    pub settings: Settings,
    /// Whether the module is linked to another one, and is not a plugin's main module. A command then has a fresh state for each
    /// call.
    pub library: bool,
    /// The stage of a module that is to become a snapshot, or is one.
    pub stage: Option<Stage>,
    /// Whether the kernel's functions that move bytes become the module's own code. Without it, a plugin does the same, only more
    /// slowly. With [`Settings::debug`] it never happens.
    pub fuse: bool,
}

impl Default for CompileOptions {
    fn default() -> Self {
        CompileOptions {
            settings: Settings::default(),
            library: false,
            stage: None,
            fuse: true,
        }
    }
}

/// The place that the native code of a module came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The module was in use, or was being compiled for another caller.
    Memory,
    /// The code was in the cache on disk.
    Disk,
    /// The module was compiled.
    Compiler,
}

impl CompileOptions {
    /// The plan of the passes that rewrite a module compiled with these options.
    pub(crate) fn plan(self) -> Plan {
        let CompileOptions {
            settings,
            library,
            stage,
            fuse,
        } = self;
        Plan {
            debug: settings.debug,
            library,
            stage,
            fuse,
            counts_fuel: settings.fuel,
            shares_data: settings.shares_data(),
        }
    }
}
