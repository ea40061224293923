//! The module's own linear memory.

use core::arch::wasm32::{memory_grow, memory_size};
use core::ptr::{with_exposed_provenance, with_exposed_provenance_mut};

use vitrine_kernel::Memory;

/// All of the linear memory, by address.
///
/// The module has no statics, and its shadow stack lies below everything that the kernel reads or
/// writes: nothing that Rust knows of is ever aliased. Address 0 is never asked for.
pub struct LinearMemory;

fn load<T: Copy>(at: u32) -> T {
    // SAFETY: any bytes are a valid integer, and an address beyond the memory's end is a trap of
    // WebAssembly.
    unsafe { with_exposed_provenance::<T>(at as usize).read_unaligned() }
}

fn store<T: Copy>(at: u32, value: T) {
    // SAFETY: no Rust object lies where the kernel writes (see `LinearMemory`); beyond the memory's
    // end WebAssembly traps.
    unsafe { with_exposed_provenance_mut::<T>(at as usize).write_unaligned(value) }
}

impl Memory for LinearMemory {
    #[inline]
    fn pages(&self) -> u32 {
        memory_size(0) as u32
    }

    #[inline]
    fn grow(&mut self, pages: u32) -> bool {
        memory_grow(0, pages as usize) != usize::MAX
    }

    #[inline]
    fn load_u8(&self, at: u32) -> u8 {
        load(at)
    }

    #[inline]
    fn load_u16(&self, at: u32) -> u16 {
        load(at)
    }

    #[inline]
    fn load_u32(&self, at: u32) -> u32 {
        load(at)
    }

    #[inline]
    fn load_u64(&self, at: u32) -> u64 {
        load(at)
    }

    #[inline]
    fn store_u8(&mut self, at: u32, value: u8) {
        store(at, value);
    }

    #[inline]
    fn store_u16(&mut self, at: u32, value: u16) {
        store(at, value);
    }

    #[inline]
    fn store_u32(&mut self, at: u32, value: u32) {
        store(at, value);
    }

    #[inline]
    fn store_u64(&mut self, at: u32, value: u64) {
        store(at, value);
    }
}
