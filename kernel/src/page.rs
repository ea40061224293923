//! One page's entry in the page table.

use crate::layout::{ENTRY_SIZE, GENERATION, PAGE_SHIFT, PAGE_TABLE, entry};
use crate::memory::Memory;

/// The number of a page, below `MAX_PAGES`, so that its entry is always inside the page table.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Page(u16);

impl Page {
    /// The page that contains an address.
    #[inline]
    pub fn of(address: u32) -> Self {
        Self((address >> PAGE_SHIFT) as u16)
    }

    /// The page with a number; numbers that no page has wrap.
    #[inline]
    pub fn nth(number: u32) -> Self {
        Self(number as u16)
    }

    #[inline]
    pub fn number(self) -> u32 {
        u32::from(self.0)
    }

    /// The address of the page's first byte.
    #[inline]
    pub fn start(self) -> u32 {
        self.number() << PAGE_SHIFT
    }

    /// The address of a field of the page's entry.
    #[inline]
    fn field(self, field: u32) -> u32 {
        PAGE_TABLE + self.number() * ENTRY_SIZE + field
    }

    #[inline]
    pub fn u8<M: Memory>(self, memory: &M, field: u32) -> u8 {
        memory.load_u8(self.field(field))
    }

    #[inline]
    pub fn u16<M: Memory>(self, memory: &M, field: u32) -> u16 {
        memory.load_u16(self.field(field))
    }

    #[inline]
    pub fn u32<M: Memory>(self, memory: &M, field: u32) -> u32 {
        memory.load_u32(self.field(field))
    }

    #[inline]
    pub fn u64<M: Memory>(self, memory: &M, field: u32) -> u64 {
        memory.load_u64(self.field(field))
    }

    #[inline]
    pub fn set_u8<M: Memory>(self, memory: &mut M, field: u32, value: u8) {
        memory.store_u8(self.field(field), value);
    }

    #[inline]
    pub fn set_u16<M: Memory>(self, memory: &mut M, field: u32, value: u16) {
        memory.store_u16(self.field(field), value);
    }

    #[inline]
    pub fn set_u32<M: Memory>(self, memory: &mut M, field: u32, value: u32) {
        memory.store_u32(self.field(field), value);
    }

    #[inline]
    pub fn set_u64<M: Memory>(self, memory: &mut M, field: u32, value: u64) {
        memory.store_u64(self.field(field), value);
    }

    /// Sets how many bytes at the end of the page stores may write.
    #[inline]
    pub fn set_storable<M: Memory>(self, memory: &mut M, bytes: u32) {
        self.set_u32(memory, entry::STORABLE, bytes);
        self.set_u32(memory, entry::STORABLE_U64, bytes.saturating_sub(7));
    }

    /// What the page is, or `None` when it was not assigned since the last reset.
    #[inline]
    pub fn kind<M: Memory>(self, memory: &M) -> Option<u8> {
        let assigned = self.u64(memory, entry::GENERATION);
        (assigned == memory.load_u64(GENERATION).wrapping_add(1))
            .then(|| self.u8(memory, entry::KIND))
    }

    /// Assigns the page, in this generation.
    #[inline]
    pub fn assign<M: Memory>(self, memory: &mut M, kind: u8) {
        let assigned = memory.load_u64(GENERATION).wrapping_add(1);
        self.set_u64(memory, entry::GENERATION, assigned);
        self.set_u8(memory, entry::KIND, kind);
    }
}
