//! The state of a plugin that outlives its instances: its configuration, variables, grants, limits and counters.

use std::path::PathBuf;

use parking_lot::{Mutex, RwLock};

use crate::host::control::Control;
use crate::host::extism::{Config, LastResponse, Vars};
use crate::host::fuel::{FuelLimits, Used};
use crate::host::last_words::LastWords;
use crate::host::limits::Limits;
use crate::host::stats::Counters;
use crate::host::wasi::{Account, CallInput, Captured, FileThreads, Wasi};

/// The options of a new plugin.
#[derive(Debug, Clone, Default)]
pub struct PluginOptions {
    /// The configuration, which `config_get` reads.
    pub config: Config,
    /// The limits of an instance.
    pub limits: Limits,
    /// The most bytes of all variables together.
    pub max_var_bytes: u64,
    /// The grants to the plugin through WASI preview 1, if its modules were linked with WASI.
    pub wasi: Option<Wasi>,
    /// The limits of fuel, if the modules were compiled to count it.
    pub fuel: Option<FuelLimits>,
    /// The file for the coredump of a call that traps, if the modules were compiled for it.
    pub coredump: Option<PathBuf>,
    /// Whether the plugin sees the headers of HTTP responses.
    pub http_response_headers: bool,
    /// The treatment of an instance whose call failed.
    pub on_trap: OnTrap,
}

/// The treatment of an instance whose call did not return: it trapped, was stopped, or exited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnTrap {
    /// The next call gets a fresh instance. Variables are kept.
    #[default]
    Reset,
    /// The next call finds the instance as the failed one left it.
    Keep,
}

/// The state that all instances of a plugin share, one after the other.
pub(crate) struct PluginState {
    pub(crate) config: RwLock<Config>,
    pub(crate) vars: Mutex<Vars>,
    pub(crate) http: Mutex<LastResponse>,
    pub(crate) http_response_headers: bool,
    pub(crate) limits: Limits,
    pub(crate) wasi: Option<Wasi>,
    /// The used part of the quota of each directory.
    pub(crate) accounts: Vec<Option<Account>>,
    pub(crate) file_threads: FileThreads,
    pub(crate) call_input: CallInput,
    pub(crate) captured: Captured,
    pub(crate) last_words: LastWords,
    pub(crate) fuel: Option<FuelLimits>,
    pub(crate) fuel_used: Used,
    pub(crate) counters: Counters,
    pub(crate) coredump: Option<PathBuf>,
    pub(crate) on_trap: OnTrap,
    /// Whether the modules keep the blocks that they pass to the host's functions.
    pub(crate) lends_blocks: bool,
    pub(crate) control: Control,
}

impl PluginState {
    pub(crate) fn new(options: PluginOptions, lends_blocks: bool) -> PluginState {
        PluginState {
            config: RwLock::new(options.config),
            vars: Mutex::new(Vars::new(options.max_var_bytes)),
            http: Mutex::default(),
            http_response_headers: options.http_response_headers,
            limits: options.limits,
            accounts: options.wasi.as_ref().map_or_else(Vec::new, Wasi::accounts),
            wasi: options.wasi,
            file_threads: FileThreads::default(),
            call_input: CallInput::default(),
            captured: Captured::default(),
            last_words: LastWords::default(),
            fuel: options.fuel,
            fuel_used: Used::default(),
            counters: Counters::default(),
            coredump: options.coredump,
            on_trap: options.on_trap,
            lends_blocks,
            control: Control::new(),
        }
    }

    /// Whether making an instance opens directories.
    pub(crate) fn opens_directories(&self) -> bool {
        let wasi = self.wasi.as_ref();
        wasi.is_some_and(|granted| !granted.directories.is_empty())
    }
}
