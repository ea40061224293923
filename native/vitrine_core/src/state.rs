//! What a store carries for the host: the ABI functions find everything here.

use std::sync::Arc;

use wasmtime::Memory;

use crate::control::Control;
use crate::limits::Limiter;
use crate::plugin::Shared;
use crate::stats::MemoryShare;
use crate::wasi;
use crate::world::World;

pub(crate) struct HostState {
    pub(crate) shared: Arc<Shared>,
    pub(crate) limiter: Limiter,
    pub(crate) world: World,
    /// Absent only until the kernel is instantiated, before any guest code.
    pub(crate) kernel: Option<Memory>,
    /// Absent also until a guest that has WASI uses it.
    pub(crate) wasi: Option<wasi::Context>,
    /// What is to be added to the message of an error.
    pub(crate) note: Option<String>,
}

impl HostState {
    pub(crate) fn new(shared: Arc<Shared>, wasi: Option<wasi::Context>) -> Self {
        HostState {
            wasi,
            limiter: Limiter::new(
                shared.limits,
                shared.links.modules.len(),
                MemoryShare::new(shared.counters.memory.clone()),
            ),
            world: World::default(),
            kernel: None,
            note: None,
            shared,
        }
    }

    pub(crate) fn control(&self) -> &Control {
        &self.shared.control
    }
}
