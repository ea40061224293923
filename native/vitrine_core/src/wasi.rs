//! WASI preview 1, with nothing granted: clocks and random numbers work, there are no files, no
//! environment, no network, standard input is empty and what is printed is dropped.

use wasmtime::Linker;
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::p1::{WasiP1Ctx, add_to_linker_async};

use crate::error::Error;
use crate::state::HostState;

/// The namespace of WASI preview 1.
pub(crate) const NAMESPACE: &str = "wasi_snapshot_preview1";

pub(crate) fn context() -> WasiP1Ctx {
    WasiCtxBuilder::new().build_p1()
}

pub(crate) fn link(linker: &mut Linker<HostState>) -> Result<(), Error> {
    add_to_linker_async(linker, |state: &mut HostState| {
        // Linked only for plugins whose stores are made with a context.
        state
            .wasi
            .as_mut()
            .expect("WASI is linked with its context")
    })
    .map_err(|e| Error::new(crate::Reason::Link, format!("{e:#}")))
}

/// Polls where WASI's timers can be made. Only plugins that have WASI pay for it.
pub(crate) fn enter<R>(wasi: bool, poll: impl FnOnce() -> R) -> R {
    if wasi {
        wasmtime_wasi::runtime::with_ambient_tokio_runtime(poll)
    } else {
        poll()
    }
}
