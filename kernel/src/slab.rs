//! Small blocks: pages cut into blocks of one size, the freed ones in a list, most recently freed
//! first.

use crate::held;
use crate::layout::{ACTIVE, PAGE_SIZE, entry, kind};
use crate::list::{List, SLABS};
use crate::memory::Memory;
use crate::page::Page;
use crate::pages;
use crate::size_class::{block_size, capacity, class_of, header_size};

/// A block of a slab, active when it was found.
#[derive(Clone, Copy)]
pub struct Slot {
    page: Page,
    index: u16,
}

/// Which blocks of a slab there are; see [`entry::BLOCKS`].
#[derive(Clone, Copy)]
struct Blocks {
    live: u16,
    free: u16,
    used: u16,
    capacity: u16,
}

/// Allocates a block with room for `length` bytes, `1 <= length <= MAX_SMALL`.
#[inline]
pub fn alloc<M: Memory>(memory: &mut M, length: u32) -> Option<u32> {
    let class = class_of(length);
    let (page, mut blocks) = match List::new(SLABS, class).first(memory) {
        Some(page) => (page, Blocks::load(memory, page)),
        None => add_slab(memory, class)?,
    };
    let slot = blocks.pop(memory, page)?;
    if is_held(memory, slot, class) {
        return alloc_past_held(memory, page, class, length);
    }
    hand_out(memory, slot, blocks, class, length)
}

/// Looks for a block behind those that are held. More than one for each range are held only where a range is
/// not in one block: then another slab has one.
#[cold]
#[inline(never)]
fn alloc_past_held<M: Memory>(memory: &mut M, page: Page, class: u32, length: u32) -> Option<u32> {
    let mut blocks = Blocks::load(memory, page);
    let mut held = [None; held::COUNT + 1];
    let mut found = None;
    for place in &mut held {
        let slot = blocks.pop(memory, page);
        if slot.is_some_and(|slot| is_held(memory, slot, class)) {
            *place = slot;
        } else {
            found = slot;
            break;
        }
    }
    for slot in held.into_iter().rev().flatten() {
        blocks.push(memory, slot);
    }
    if let Some(slot) = found {
        return hand_out(memory, slot, blocks, class, length);
    }
    blocks.store(memory, page);
    let (page, mut blocks) = add_slab(memory, class)?;
    let slot = blocks.pop(memory, page)?;
    hand_out(memory, slot, blocks, class, length)
}

/// Makes a block active that was taken from `blocks`.
#[inline]
fn hand_out<M: Memory>(
    memory: &mut M,
    slot: Slot,
    mut blocks: Blocks,
    class: u32,
    length: u32,
) -> Option<u32> {
    blocks.live = blocks.live.wrapping_add(1);
    blocks.store(memory, slot.page);
    memory.store_u16(slot.entry(), ACTIVE | length as u16);
    if blocks.are_full() {
        List::new(SLABS, class).remove(memory, slot.page);
    }
    slot.address(memory, class)
}

/// Whether a block holds a part of a range that is read later.
#[inline]
fn is_held<M: Memory>(memory: &M, slot: Slot, class: u32) -> bool {
    slot.address(memory, class)
        .is_some_and(|address| held::overlaps(memory, address.into(), block_size(class).into()))
}

/// The active block that starts at `address`, in a page that is a slab, and its length.
#[inline]
pub fn find<M: Memory>(memory: &M, address: u32) -> Option<(Slot, u32)> {
    let page = Page::of(address);
    let offset = (address - page.start()).checked_sub(data_start(memory, page))?;
    let size = block_size(page.u8(memory, entry::CLASS).into());
    let index = (offset / size) as u16;
    if !offset.is_multiple_of(size) || index >= Blocks::load(memory, page).used {
        return None;
    }
    let slot = Slot { page, index };
    let state = memory.load_u16(slot.entry());
    (state & ACTIVE != 0).then(|| (slot, u32::from(state & !ACTIVE)))
}

/// Frees a block that [`find`] found.
#[inline]
pub fn free<M: Memory>(memory: &mut M, slot: Slot) {
    let page = slot.page;
    let list = List::new(SLABS, page.u8(memory, entry::CLASS).into());
    let mut blocks = Blocks::load(memory, page);
    if blocks.are_full() {
        list.push(memory, page);
    }
    blocks.push(memory, slot);
    blocks.live = blocks.live.wrapping_sub(1);
    if blocks.live > 0 {
        blocks.store(memory, page);
    } else if List::is_alone(memory, page) {
        // The next block of this class may be wanted soon.
        Blocks {
            free: 0,
            used: 0,
            ..blocks
        }
        .store(memory, page);
    } else {
        list.remove(memory, page);
        pages::give_back(memory, page, 1);
    }
}

/// Makes a page a slab, and puts it into the list of its class.
#[inline(never)]
fn add_slab<M: Memory>(memory: &mut M, class: u32) -> Option<(Page, Blocks)> {
    let page = pages::take(memory, 1, kind::SLAB)?;
    let capacity = capacity(class);
    page.set_storable(memory, PAGE_SIZE - header_size(capacity));
    page.set_u8(memory, entry::CLASS, class as u8);
    let blocks = Blocks {
        live: 0,
        free: 0,
        used: 0,
        capacity: capacity as u16,
    };
    blocks.store(memory, page);
    List::new(SLABS, class).push(memory, page);
    Some((page, blocks))
}

/// Where the blocks start in a slab: what its header leaves is what may be stored to.
#[inline]
fn data_start<M: Memory>(memory: &M, page: Page) -> u32 {
    PAGE_SIZE.saturating_sub(page.u32(memory, entry::STORABLE))
}

impl Slot {
    /// The address of the block's entry in the slab's header.
    #[inline]
    fn entry(self) -> u32 {
        // Wraps only for an index that no slab has.
        self.page.start().wrapping_add(2 * u32::from(self.index))
    }

    /// The address of the block.
    #[inline]
    fn address<M: Memory>(self, memory: &M, class: u32) -> Option<u32> {
        let offset = data_start(memory, self.page) + u32::from(self.index) * block_size(class);
        self.page.start().checked_add(offset)
    }
}

impl Blocks {
    #[inline]
    fn load<M: Memory>(memory: &M, page: Page) -> Self {
        let word = page.u64(memory, entry::BLOCKS);
        let [live, free, used, capacity] = [0, 16, 32, 48].map(|shift| (word >> shift) as u16);
        Self {
            live,
            free,
            used,
            capacity,
        }
    }

    #[inline]
    fn store<M: Memory>(self, memory: &mut M, page: Page) {
        let fields = [self.live, self.free, self.used, self.capacity];
        let word = fields
            .into_iter()
            .rev()
            .fold(0, |word, field| word << 16 | u64::from(field));
        page.set_u64(memory, entry::BLOCKS, word);
    }

    /// Takes a block that is not active: of those that were freed the last, or else one that never was
    /// handed out. None only where the kernel's data was overwritten, or the slab is full.
    #[inline]
    fn pop<M: Memory>(&mut self, memory: &M, page: Page) -> Option<Slot> {
        let index = self.free.checked_sub(1).unwrap_or(self.used);
        let slot = Slot { page, index };
        if index >= self.capacity {
            return None;
        }
        if self.free == 0 {
            self.used += 1;
        } else {
            self.free = memory.load_u16(slot.entry());
        }
        Some(slot)
    }

    /// Puts a block to those that were freed.
    #[inline]
    fn push<M: Memory>(&mut self, memory: &mut M, slot: Slot) {
        memory.store_u16(slot.entry(), self.free);
        self.free = slot.index + 1;
    }

    /// Whether no block can be allocated.
    #[inline]
    fn are_full(self) -> bool {
        self.free == 0 && self.used == self.capacity
    }
}
