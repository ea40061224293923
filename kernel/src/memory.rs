//! The bytes that the kernel works on: its own linear memory when it runs as wasm, a slice of it
//! when the host runs it.

use crate::layout::{MAX_PAGES, PAGE_SHIFT};

/// A linear memory, little-endian.
///
/// The kernel asks only for addresses inside the memory unless its own data was overwritten from
/// outside; an implementation that may meet such data answers 0 to a load out of range and ignores
/// a store.
pub trait Memory {
    /// The size in pages.
    fn pages(&self) -> u32;
    /// Grows the memory by so many pages of zeros; `false` and no change when that cannot be done.
    fn grow(&mut self, pages: u32) -> bool;

    /// The byte at `at`.
    fn load_u8(&self, at: u32) -> u8;
    /// The two bytes from `at` on.
    fn load_u16(&self, at: u32) -> u16;
    /// The four bytes from `at` on.
    fn load_u32(&self, at: u32) -> u32;
    /// The eight bytes from `at` on.
    fn load_u64(&self, at: u32) -> u64;

    /// Sets the byte at `at`.
    fn store_u8(&mut self, at: u32, value: u8);
    /// Sets the two bytes from `at` on.
    fn store_u16(&mut self, at: u32, value: u16);
    /// Sets the four bytes from `at` on.
    fn store_u32(&mut self, at: u32, value: u32);
    /// Sets the eight bytes from `at` on.
    fn store_u64(&mut self, at: u32, value: u64);

    /// Sets so many bytes from `at` on, a multiple of eight, to zero.
    #[inline]
    fn clear(&mut self, at: u32, length: u32) {
        // For the few bytes that the kernel clears, this is faster than the `memory.fill` of wasm.
        for word in (at..at + length).step_by(8) {
            self.store_u64(word, 0);
        }
    }
}

/// The kernel's memory as the host sees it.
///
/// A borrowed slice cannot grow. An allocation that needs more pages therefore fails, and
/// [`wanted_pages`](Self::wanted_pages) tells how many are missing: the host grows the memory by
/// these and tries once more.
#[derive(Debug)]
pub struct SliceMemory<'a> {
    bytes: &'a mut [u8],
    wanted: u32,
}

impl<'a> SliceMemory<'a> {
    /// A view of the whole linear memory.
    #[inline]
    pub fn new(bytes: &'a mut [u8]) -> Self {
        Self { bytes, wanted: 0 }
    }

    /// The pages that the last failed allocation lacked; 0 when none failed for want of memory.
    #[inline]
    pub fn wanted_pages(&self) -> u32 {
        self.wanted
    }

    /// The bytes of the memory.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        self.bytes
    }

    /// The bytes of the memory, to write into a block.
    #[inline]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.bytes
    }

    #[inline]
    fn get<const N: usize>(&self, at: u32) -> [u8; N] {
        let bytes = self.bytes.get(at as usize..).and_then(<[u8]>::first_chunk);
        bytes.copied().unwrap_or([0; N])
    }

    #[inline]
    fn set<const N: usize>(&mut self, at: u32, value: [u8; N]) {
        let bytes = self.bytes.get_mut(at as usize..);
        if let Some(chunk) = bytes.and_then(<[u8]>::first_chunk_mut) {
            *chunk = value;
        }
    }
}

impl Memory for SliceMemory<'_> {
    #[inline]
    fn pages(&self) -> u32 {
        u32::try_from(self.bytes.len() >> PAGE_SHIFT)
            .map_or(MAX_PAGES, |pages| pages.min(MAX_PAGES))
    }

    #[inline]
    fn grow(&mut self, pages: u32) -> bool {
        self.wanted = pages;
        false
    }

    #[inline]
    fn load_u8(&self, at: u32) -> u8 {
        u8::from_le_bytes(self.get(at))
    }

    #[inline]
    fn load_u16(&self, at: u32) -> u16 {
        u16::from_le_bytes(self.get(at))
    }

    #[inline]
    fn load_u32(&self, at: u32) -> u32 {
        u32::from_le_bytes(self.get(at))
    }

    #[inline]
    fn load_u64(&self, at: u32) -> u64 {
        u64::from_le_bytes(self.get(at))
    }

    #[inline]
    fn store_u8(&mut self, at: u32, value: u8) {
        self.set(at, value.to_le_bytes());
    }

    #[inline]
    fn store_u16(&mut self, at: u32, value: u16) {
        self.set(at, value.to_le_bytes());
    }

    #[inline]
    fn store_u32(&mut self, at: u32, value: u32) {
        self.set(at, value.to_le_bytes());
    }

    #[inline]
    fn store_u64(&mut self, at: u32, value: u64) {
        self.set(at, value.to_le_bytes());
    }

    #[inline]
    fn clear(&mut self, at: u32, length: u32) {
        let bytes = self
            .bytes
            .get_mut(at as usize..)
            .and_then(|bytes| bytes.get_mut(..length as usize));
        if let Some(bytes) = bytes {
            bytes.fill(0);
        }
    }
}
