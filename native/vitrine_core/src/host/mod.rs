//! What a guest can ask of its host: the Extism ABI, host functions, WASI, and the kernel's memory.
//!
//! All of it is generic over the data of the store: it needs a [`HostView`], and nothing of how modules are linked or
//! instances are made.

pub(crate) mod control;
pub(crate) mod extism;
pub(crate) mod fuel;
pub(crate) mod function;
pub(crate) mod import;
pub(crate) mod kernel_memory;
pub(crate) mod last_words;
pub(crate) mod limits;
pub(crate) mod plugin_state;
pub(crate) mod protocol;
pub(crate) mod stats;
pub(crate) mod wasi;

use std::sync::Arc;

use wasmtime::Memory;

use self::control::Control;
use self::limits::Limiter;
use self::plugin_state::PluginState;
use self::stats::MemoryShare;

/// The data of a store whose guest can ask the host.
pub(crate) trait HostView: Send + 'static {
    /// What the host's functions work with.
    fn host(&self) -> &HostContext;
    /// The same, to be changed.
    fn host_mut(&mut self) -> &mut HostContext;
}

/// What a store carries for the host's functions.
pub(crate) struct HostContext {
    pub(crate) plugin: Arc<PluginState>,
    pub(crate) limiter: Limiter,
    /// The memory of the kernel, once the store has one.
    pub(crate) kernel: Option<Memory>,
    /// WASI. It is absent until a guest that was granted WASI uses it.
    pub(crate) wasi: Option<wasi::Context>,
    /// A note to be added to the message of an error.
    pub(crate) note: Option<String>,
}

impl HostContext {
    /// The context of a new store, in which instances of so many modules are to be made.
    pub(crate) fn new(
        plugin: Arc<PluginState>,
        modules: usize,
        wasi: Option<wasi::Context>,
    ) -> HostContext {
        let share = MemoryShare::new(plugin.counters.memory.clone());
        HostContext {
            limiter: Limiter::new(plugin.limits, modules, share),
            plugin,
            kernel: None,
            wasi,
            note: None,
        }
    }

    pub(crate) fn control(&self) -> &Control {
        &self.plugin.control
    }
}
