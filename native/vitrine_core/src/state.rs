//! What a store carries for the host: the ABI functions find everything here.

use std::sync::Arc;

use wasmtime::Memory;
use wasmtime_wasi::p1::WasiP1Ctx;

use crate::control::Control;
use crate::limits::Limiter;
use crate::plugin::Shared;

pub(crate) struct HostState {
    pub(crate) shared: Arc<Shared>,
    pub(crate) limiter: Limiter,
    /// Absent only until the kernel is instantiated, before any guest code.
    pub(crate) kernel: Option<Memory>,
    pub(crate) wasi: Option<WasiP1Ctx>,
}

impl HostState {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        HostState {
            limiter: Limiter::new(shared.limits),
            wasi: shared.wasi.then(crate::wasi::context),
            kernel: None,
            shared,
        }
    }

    pub(crate) fn control(&self) -> &Control {
        &self.shared.control
    }
}
