//! Linear memories for very many instances.
//!
//! A memory in the reserved layout has 4 GiB of addresses and mappings of its own. That ends at some ten thousand
//! instances: a process has 128 TiB of addresses and, on Linux, 65 530 mappings. Here memories are slots of a few
//! large mappings, and guest code compares each address with the memory's length.

use wasmtime::{LinearMemory, MemoryCreator, MemoryType, Result};

use super::pages::reset::reset_to_zeros;
use super::reuse::slots::{Slot, SlotPool};
use crate::out_of_memory::NO_SPACE;

/// The largest memory that is in a slot of the pool. Such a memory never moves.
const SLOT: usize = 64 << 20;
/// A larger memory has a mapping of its own, in which one with 32-bit addresses does not move again.
const LARGE: usize = 4 << 30;

static SLOTS: SlotPool = SlotPool::new(SLOT, reset_to_zeros);

pub(super) struct Memories;

struct Memory {
    slot: Slot,
    len: usize,
}

// SAFETY: the memories that `new_memory` makes are zero, have the length that is asked for, and belong to their
// instance alone until they are dropped. The engine is configured for no reservation and no guard.
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
        let slot = if minimum <= SLOT {
            SLOTS.take()
        } else {
            Slot::mapping(large(minimum))
        };
        let slot = slot.map_err(|e| format!("{NO_SPACE}: {e}"))?;
        Ok(Box::new(Memory { slot, len: minimum }))
    }
}

fn large(len: usize) -> usize {
    len.checked_next_power_of_two().unwrap_or(len).max(LARGE)
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.slot.set_used(self.len);
    }
}

// SAFETY: `as_ptr` is the start of `byte_capacity` bytes, of which `byte_size` were asked for. It changes only in
// `grow_to`, which keeps the bytes. Bytes that are added are zero, because nothing is written beyond the length.
unsafe impl LinearMemory for Memory {
    fn byte_size(&self) -> usize {
        self.len
    }

    fn byte_capacity(&self) -> usize {
        self.slot.size()
    }

    fn grow_to(&mut self, len: usize) -> Result<()> {
        if len > self.slot.size() {
            self.slot = self.slot.outgrown(self.len, large(len))?;
        }
        self.len = len;
        Ok(())
    }

    fn as_ptr(&self) -> *mut u8 {
        self.slot.base()
    }
}
