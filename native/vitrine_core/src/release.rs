//! Gives memory back to the system that nobody needs any more.
//!
//! Linux frees the pages of what is unmapped while all who map or unmap something wait: a tenth of a second for
//! some hundred megabytes, and each fresh instance maps something. So a large instance is
//! emptied first, a little at a time, between which others have their turn.

use wasmtime::Store;

use crate::state::HostState;

/// What is given back at a time.
const PIECE: usize = 512 << 10;
/// Who has less is not worth it.
const LARGE: u64 = 4 << 20;

/// Empties the memories of a store that is dropped after this: the kernel's, and those that the guest
/// exports, as nearly all do.
pub(crate) fn empty(store: &mut Store<HostState>) {
    if store.data().limiter.memory() < LARGE {
        return;
    }
    let kernel = store.data().kernel;
    let exported = store.data().instance.map(|instance| {
        let exports = instance.exports(&mut *store);
        let memories = exports.filter_map(|export| export.into_memory());
        memories.collect::<Vec<_>>()
    });
    for memory in kernel.into_iter().chain(exported.unwrap_or_default()) {
        let bytes = memory.data_mut(&mut *store);
        bytes.chunks_mut(PIECE).for_each(give_back);
    }
}

/// Gives the memory behind these bytes, whose values nobody needs, back to the system.
#[cfg(target_os = "linux")]
pub(crate) fn give_back(bytes: &mut [u8]) {
    use rustix::mm::{Advice, madvise};
    // SAFETY: the bytes are borrowed for this alone, and are part of a private mapping:
    // they stay readable and writable, and become zeros or what the module's data say. It fails if
    // they do not start on a page, which changes nothing.
    let _ = unsafe {
        madvise(
            bytes.as_mut_ptr().cast(),
            bytes.len(),
            Advice::LinuxDontNeed,
        )
    };
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn give_back(_bytes: &mut [u8]) {}
