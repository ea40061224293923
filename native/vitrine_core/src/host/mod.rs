//! Everything that a guest can ask its host for: the Extism ABI, host functions, WASI, and the kernel's memory.
//!
//! All of it is generic over the data of the store, which must be a [`HostView`]. It does not know how modules are linked or how
//! instances are made.
//!
//! Read `protocol` first: it has the requests and replies between a parked guest and the embedder. `control` parks the guest
//! and ends its slices. `plugin_state` is the state that outlives instances, and [`HostContext`] is the state of one store.
//! `kernel_memory` reads and writes the blocks that guest and host exchange. `function` and `import` are host functions,
//! `extism` the functions of the ABI, and `wasi` those of WASI. `limits` and `fuel` bound what an instance uses; `stats` and
//! `last_words` record what it did and said.

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

/// The data of a store whose guest can call the host's functions.
pub(crate) trait HostView: Send + 'static {
    /// The state that the host's functions work with.
    fn host(&self) -> &HostContext;
    /// The same state, to be changed.
    fn host_mut(&mut self) -> &mut HostContext;
}

/// The state of one store for the host's functions.
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
    /// The context of a new store, in which instances of `modules` modules are to be made.
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
