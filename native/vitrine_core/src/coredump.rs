//! Writes what a trapped guest left behind to a file, for wasmgdb and the like.

use std::path::Path;

use wasmtime::{Store, WasmCoreDump};

use crate::state::HostState;

/// Writes the coredump that came with an error, if one did. Takes long.
pub(crate) async fn write(store: &mut Store<HostState>, error: &wasmtime::Error, path: &Path) {
    let Some(dump) = error.downcast_ref::<WasmCoreDump>() else {
        return;
    };
    let shared = store.data().shared.clone();
    shared.control.on_dirty().await;
    let name = &shared.links.modules[shared.links.main].name;
    let bytes = dump.serialize(&mut *store, name);
    // The call has failed already: that its coredump could not be written is no other failure.
    if let Err(error) = std::fs::write(path, bytes) {
        store.data_mut().note = Some(format!(
            "the coredump could not be written to {}: {error}",
            path.display()
        ));
    }
}
