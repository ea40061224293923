//! Writes the coredump of a trapped guest to a file, for debuggers like wasmgdb.
//!
//! This takes memory that no limit of the plugin counts, and time after the call's deadline. The limits on the size of a
//! coredump bound both.

use std::path::Path;

use wasmtime::{Store, WasmCoreDump};

use crate::link::store::StoreData;

/// The most bytes that all memories have together. They are all searched for chunks that are not zero.
const MOST: usize = MOST_MIB << 20;
const MOST_MIB: usize = 256;
/// The most bytes in chunks that are not all zero. Only these are written. Wasmtime copies them a few times.
const MOST_USED: usize = MOST_USED_MIB << 20;
const MOST_USED_MIB: usize = 64;

const CHUNK: usize = 4096;

/// Writes the coredump that an error carries, if it carries one that is not too large. Takes some tenths of a second at
/// most.
pub(crate) async fn write(store: &mut Store<StoreData>, error: &wasmtime::Error, path: &Path) {
    let Some(dump) = error.downcast_ref::<WasmCoreDump>() else {
        return;
    };
    let plugin = store.data().host.plugin.clone();
    plugin.control.on_dirty().await;
    let written = match too_large(store, dump) {
        Some(why) => Err(why),
        None => {
            let linked = store.data().instances.linked.clone();
            let name = linked.as_ref().map_or("plugin", |linked| linked.name());
            let bytes = dump.serialize(&mut *store, name);
            std::fs::write(path, bytes).map_err(|e| e.to_string())
        }
    };
    // The call has already failed. A coredump that cannot be written is only noted in its error.
    if let Err(why) = written {
        let path = path.display();
        store.data_mut().host.note = Some(format!(
            "the coredump could not be written to {path}: {why}"
        ));
    }
}

/// Why a coredump is too large to be written, if it is.
fn too_large(store: &Store<StoreData>, dump: &WasmCoreDump) -> Option<String> {
    let memories = dump.memories().iter().map(|memory| memory.data(store));
    let all: usize = memories.clone().map(<[u8]>::len).sum();
    if all > MOST {
        return Some(format!(
            "the memories have {all} bytes; the limit is {MOST} bytes ({MOST_MIB} MiB)"
        ));
    }
    let chunks = memories.flat_map(|bytes| bytes.chunks(CHUNK));
    let used: usize = chunks
        .filter(|chunk| **chunk != [0; CHUNK][..chunk.len()])
        .map(<[u8]>::len)
        .sum();
    (used > MOST_USED).then(|| {
        format!(
            "{used} bytes of the memories are in use; the limit is {MOST_USED} bytes ({MOST_USED_MIB} MiB)"
        )
    })
}
