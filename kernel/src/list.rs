//! Doubly linked lists of pages, up to 64 in a row, with a bitmap of those that are not empty.
//!
//! The links are in the page table. A head counts only while its bit is set, so that clearing the
//! bitmap clears all lists.

use crate::layout::entry::{NEXT, PREV};
use crate::layout::{RUN_LISTS, RUN_LISTS_USED, SLAB_LISTS, SLAB_LISTS_USED};
use crate::memory::Memory;
use crate::page::Page;

/// Where a row of lists is.
#[derive(Clone, Copy)]
pub struct Row {
    /// The address of the bitmap.
    used: u32,
    /// The address of the heads.
    heads: u32,
}

/// The lists of slabs with a free block, by size class.
pub const SLABS: Row = Row {
    used: SLAB_LISTS_USED,
    heads: SLAB_LISTS,
};
/// The lists of free runs, by bin.
pub const RUNS: Row = Row {
    used: RUN_LISTS_USED,
    heads: RUN_LISTS,
};

/// One of the lists in a row.
#[derive(Clone, Copy)]
pub struct List {
    row: Row,
    index: u32,
}

impl List {
    /// The list number `index`, below 64, of a row.
    #[inline]
    pub fn new(row: Row, index: u32) -> Self {
        Self {
            row,
            index: index & 63,
        }
    }

    /// The next list of the row that is not empty.
    #[inline]
    pub fn next_used<M: Memory>(self, memory: &M) -> Option<Self> {
        let above = memory.load_u64(self.row.used) & (u64::MAX << self.index << 1);
        (above != 0).then(|| Self::new(self.row, above.trailing_zeros()))
    }

    #[inline]
    pub fn first<M: Memory>(self, memory: &M) -> Option<Page> {
        let used = memory.load_u64(self.row.used) & self.bit() != 0;
        used.then(|| Page::nth(memory.load_u16(self.head()).into()))
    }

    #[inline]
    pub fn push<M: Memory>(self, memory: &mut M, page: Page) {
        match self.first(memory) {
            Some(first) => {
                page.set_u16(memory, NEXT, first.number() as u16);
                first.set_u16(memory, PREV, page.number() as u16);
            }
            None => {
                page.set_u16(memory, NEXT, 0);
                self.set_used(memory, true);
            }
        }
        page.set_u16(memory, PREV, 0);
        memory.store_u16(self.head(), page.number() as u16);
    }

    /// Takes out a page that is in the list.
    #[inline]
    pub fn remove<M: Memory>(self, memory: &mut M, page: Page) {
        let (next, prev) = (page.u16(memory, NEXT), page.u16(memory, PREV));
        if next != 0 {
            Page::nth(next.into()).set_u16(memory, PREV, prev);
        }
        if prev != 0 {
            Page::nth(prev.into()).set_u16(memory, NEXT, next);
        } else if next != 0 {
            memory.store_u16(self.head(), next);
        } else {
            self.set_used(memory, false);
        }
    }

    /// Whether a page that is in the list is alone there.
    #[inline]
    pub fn is_alone<M: Memory>(memory: &M, page: Page) -> bool {
        page.u16(memory, NEXT) == 0 && page.u16(memory, PREV) == 0
    }

    #[inline]
    fn bit(self) -> u64 {
        1 << self.index
    }

    #[inline]
    fn head(self) -> u32 {
        self.row.heads + 2 * self.index
    }

    #[inline]
    fn set_used<M: Memory>(self, memory: &mut M, used: bool) {
        let others = memory.load_u64(self.row.used) & !self.bit();
        memory.store_u64(
            self.row.used,
            if used { others | self.bit() } else { others },
        );
    }
}
