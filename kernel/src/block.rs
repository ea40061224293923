//! Blocks of any size: small ones in slabs, large ones in pages of their own.

use crate::layout::{HEAP_START, MAX_PAGES, PAGE_SIZE, entry::LENGTH, kind};
use crate::memory::Memory;
use crate::page::Page;
use crate::pages;
use crate::size_class::MAX_SMALL;
use crate::slab::{self, Slot};

/// An active block.
pub struct Block {
    place: Place,
    /// Its length in bytes.
    pub length: u32,
}

enum Place {
    Slab(Slot),
    Pages(Page),
}

/// Allocates `length` bytes and gives their address.
#[inline]
pub fn alloc<M: Memory>(memory: &mut M, length: u64) -> Option<u32> {
    if length == 0 {
        return None;
    }
    match u32::try_from(length) {
        Ok(length @ ..=MAX_SMALL) => slab::alloc(memory, length),
        _ => {
            let pages = length.div_ceil(PAGE_SIZE.into()).min(MAX_PAGES.into());
            let page = pages::take(memory, pages as u32, kind::LARGE)?;
            page.set_u32(memory, LENGTH, length as u32);
            Some(page.start())
        }
    }
}

/// The active block with this handle.
#[inline]
pub fn find<M: Memory>(memory: &M, handle: u64) -> Option<Block> {
    let address = u32::try_from(handle)
        .ok()
        .filter(|&address| address >= HEAP_START)?;
    let page = Page::of(address);
    match page.kind(memory)? {
        kind::SLAB => {
            let (slot, length) = slab::find(memory, address)?;
            Some(Block {
                place: Place::Slab(slot),
                length,
            })
        }
        kind::LARGE if address == page.start() => {
            let length = page.u32(memory, LENGTH);
            Some(Block {
                place: Place::Pages(page),
                length,
            })
        }
        _ => None,
    }
}

/// Frees a block that [`find`] found.
#[inline]
pub fn free<M: Memory>(memory: &mut M, block: Block) {
    match block.place {
        Place::Slab(slot) => slab::free(memory, slot),
        Place::Pages(page) => {
            pages::give_back(memory, page, block.length.div_ceil(PAGE_SIZE).max(1))
        }
    }
}
