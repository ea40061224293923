//! How a module is compiled, and where its code may come from.

use vitrine_rewrite::{Plan, Stage};

use crate::compile::engine::Settings;

/// The largest module that is compiled, in bytes.
pub const MAX_MODULE_SIZE: usize = 128 << 20;

/// How a module is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CompileOptions {
    /// The settings of the engine.
    pub settings: Settings,
    /// Whether it is to be linked to another module, and is not a plugin's main one: then a
    /// command has a fresh state for each call.
    pub library: bool,
    /// Where it stands, if it is to become a snapshot.
    pub stage: Option<Stage>,
    /// Whether the kernel's functions that move bytes become code of the module's own. What a plugin
    /// does is the same without, only slower. With [`Settings::debug`] it never happens.
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

/// Where the native code of a module came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The module is in use, or was being compiled for somebody else.
    Memory,
    /// It was in the cache on disk.
    Disk,
    /// It was compiled.
    Compiler,
}

impl CompileOptions {
    /// How the passes change a module that is compiled with these options.
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
