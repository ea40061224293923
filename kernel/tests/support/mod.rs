//! Memories to test the kernel on.

#![allow(dead_code)] // Each test file uses a part.

use std::cell::Cell;

use vitrine_kernel::layout::{HEAP_START, MIN_PAGES, PAGE_SIZE};
use vitrine_kernel::{Kernel, Memory, SliceMemory};

/// A memory that grows up to a limit, and counts how often it is accessed.
pub struct VecMemory {
    pub bytes: Vec<u8>,
    pub limit: u32,
    pub accesses: Cell<u64>,
}

impl VecMemory {
    pub fn new(limit: u32) -> Self {
        let bytes = vec![0; (MIN_PAGES * PAGE_SIZE) as usize];
        Self {
            bytes,
            limit,
            accesses: Cell::new(0),
        }
    }

    fn load<const N: usize>(&self, at: u32) -> [u8; N] {
        self.accesses.set(self.accesses.get() + 1);
        let bytes = self
            .bytes
            .get(at as usize..)
            .and_then(|bytes| bytes.first_chunk());
        *bytes.expect("a load inside the memory")
    }

    fn store<const N: usize>(&mut self, at: u32, value: [u8; N]) {
        self.accesses.set(self.accesses.get() + 1);
        let bytes = self
            .bytes
            .get_mut(at as usize..)
            .and_then(|bytes| bytes.first_chunk_mut());
        *bytes.expect("a store inside the memory") = value;
    }
}

impl Memory for VecMemory {
    fn pages(&self) -> u32 {
        (self.bytes.len() as u64 / u64::from(PAGE_SIZE)) as u32
    }

    fn grow(&mut self, pages: u32) -> bool {
        let fits = self.pages() + pages <= self.limit;
        if fits {
            self.bytes
                .resize(self.bytes.len() + (pages * PAGE_SIZE) as usize, 0);
        }
        fits
    }

    fn load_u8(&self, at: u32) -> u8 {
        u8::from_le_bytes(self.load(at))
    }

    fn load_u16(&self, at: u32) -> u16 {
        u16::from_le_bytes(self.load(at))
    }

    fn load_u32(&self, at: u32) -> u32 {
        u32::from_le_bytes(self.load(at))
    }

    fn load_u64(&self, at: u32) -> u64 {
        u64::from_le_bytes(self.load(at))
    }

    fn store_u8(&mut self, at: u32, value: u8) {
        self.store(at, value.to_le_bytes());
    }

    fn store_u16(&mut self, at: u32, value: u16) {
        self.store(at, value.to_le_bytes());
    }

    fn store_u32(&mut self, at: u32, value: u32) {
        self.store(at, value.to_le_bytes());
    }

    fn store_u64(&mut self, at: u32, value: u64) {
        self.store(at, value.to_le_bytes());
    }
}

/// An empty kernel that may grow to 1024 pages.
pub fn kernel() -> Kernel<VecMemory> {
    Kernel::new(VecMemory::new(1024))
}

/// The end of a kernel's memory.
pub fn end<M: Memory>(kernel: &Kernel<M>) -> u64 {
    u64::from(HEAP_START) + kernel.memory_bytes()
}

/// A kernel over a borrowed memory.
pub fn borrowed(bytes: &mut [u8]) -> Kernel<SliceMemory<'_>> {
    Kernel::new(SliceMemory::new(bytes))
}
