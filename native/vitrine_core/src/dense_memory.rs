//! Linear memories for very many instances.
//!
//! By default Wasmtime reserves 4 GiB of address space for each memory, so that the processor finds
//! out what is out of bounds. That is fast, and ends at some ten thousand instances: a process has
//! 128 TiB of addresses and, on Linux, 65 530 mappings. Here memories are slots of a few large
//! mappings, and guest code compares each address with the memory's length.

use wasmtime::{LinearMemory, MemoryCreator, MemoryType, Result};

use crate::arena::{Arena, Space};
use crate::outcome::NO_SPACE;
use crate::wipe::wipe;

/// A memory of this size at most is in a slot, and never moves.
const SLOT: usize = 64 << 20;
/// A larger one has its own mapping, in which one with addresses of 32 bits need not move again.
const LARGE: usize = 4 << 30;

static SLOTS: Arena = Arena::new(SLOT, wipe);

pub(crate) struct Memories;

struct Memory {
    space: Space,
    len: usize,
}

// SAFETY: what `new_memory` gives is zero, of the length that is asked for, and belongs to this
// memory alone until it is dropped; the engine is configured for no reservation and no guard.
unsafe impl MemoryCreator for Memories {
    fn new_memory(
        &self,
        _ty: MemoryType,
        minimum: usize,
        _maximum: Option<usize>,
        reserved: Option<usize>,
        guard: usize,
    ) -> Result<Box<dyn LinearMemory>, String> {
        if reserved.unwrap_or(0) > 0 || guard > 0 {
            return Err("dense memories have neither a reservation nor a guard".into());
        }
        let space = if minimum <= SLOT {
            SLOTS.take()
        } else {
            Space::new(large(minimum))
        };
        let space = space.map_err(|e| format!("{NO_SPACE}: {e}"))?;
        Ok(Box::new(Memory {
            space,
            len: minimum,
        }))
    }
}

fn large(len: usize) -> usize {
    len.checked_next_power_of_two().unwrap_or(len).max(LARGE)
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.space.used_up_to(self.len);
    }
}

// SAFETY: `as_ptr` is the start of `byte_capacity` bytes, of which `byte_size` were asked for. It
// changes only in `grow_to`, which keeps the bytes; those that are added are zero, because nothing
// is written beyond the length.
unsafe impl LinearMemory for Memory {
    fn byte_size(&self) -> usize {
        self.len
    }

    fn byte_capacity(&self) -> usize {
        self.space.size()
    }

    fn grow_to(&mut self, len: usize) -> Result<()> {
        if len > self.space.size() {
            self.space = self.space.moved(self.len, large(len))?;
        }
        self.len = len;
        Ok(())
    }

    fn as_ptr(&self) -> *mut u8 {
        self.space.base()
    }
}
