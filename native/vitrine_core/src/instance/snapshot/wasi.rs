//! Refuses snapshots that would lose open files.

use wasmtime::Store;
use wasmtime_wasi::WasiView;
use wasmtime_wasi::filesystem::Descriptor;

use crate::compile::binary::no_snapshot;
use crate::error::Error;
use crate::link::store::StoreData;

/// Refuses a guest that holds files or directories open: instances of the snapshot have none of its descriptors.
pub(crate) fn check(store: &mut Store<StoreData>) -> Result<(), Error> {
    let granted = store.data().host.plugin.wasi.as_ref();
    let granted = granted.map_or(0, |wasi| wasi.directories.len());
    let Some(context) = &mut store.data_mut().host.wasi else {
        return Ok(());
    };
    // The table also has the standard streams and, once the guest has looked anything up, the directories that were
    // granted.
    let (mut files, mut directories) = (0, 0);
    for resource in context.wasi.ctx().table.iter_mut() {
        match resource.downcast_ref() {
            Some(Descriptor::File(_)) => files += 1,
            Some(Descriptor::Dir(_)) => directories += 1,
            None => (),
        }
    }
    let open = files + usize::saturating_sub(directories, granted);
    match open {
        0 => Ok(()),
        1 => Err(no_snapshot(
            "its initialisation left a file or a directory open",
        )),
        _ => Err(no_snapshot(format!(
            "its initialisation left {open} files or directories open"
        ))),
    }
}
