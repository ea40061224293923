//! The functions that plugins import as `extism:host/env`, and those that only the host has.

use core::ops::Range;

use crate::block;
use crate::layout::{
    CONTROL_END, ERROR, ERROR_LENGTH, GENERATION, HEAP_PAGE, HEAP_START, INPUT_LENGTH,
    INPUT_LOADABLE_U64, INPUT_OFFSET, OUTPUT_LENGTH, OUTPUT_OFFSET, PAGE_SHIFT, PAGE_SIZE, PEAK,
    entry::STORABLE, kind,
};
use crate::memory::Memory;
use crate::page::Page;
use crate::pages;

/// The kernel over a memory. It has no state of its own: everything is in the memory.
#[derive(Debug)]
pub struct Kernel<M> {
    memory: M,
}

impl<M: Memory> Kernel<M> {
    /// A kernel over a memory that is all zero, or that a kernel has used before.
    #[inline]
    pub fn new(memory: M) -> Self {
        Self { memory }
    }

    /// The memory.
    #[inline]
    pub fn memory(&self) -> &M {
        &self.memory
    }

    /// The memory, to write into a block.
    #[inline]
    pub fn memory_mut(&mut self) -> &mut M {
        &mut self.memory
    }

    /// Allocates a block of `length` bytes and gives its handle. 0 when `length` is 0 or the memory
    /// cannot grow.
    #[inline]
    pub fn alloc(&mut self, length: u64) -> u64 {
        block::alloc(&mut self.memory, length).map_or(0, u64::from)
    }

    /// Frees a block. What is not the handle of an active block is ignored. The bytes stay as they are as
    /// long as they are part of the input, the output or the error message.
    #[inline]
    pub fn free(&mut self, handle: u64) {
        let Some(block) = block::find(&self.memory, handle) else {
            return;
        };
        block::free(&mut self.memory, block);
        if handle == self.input_offset() {
            self.set_input_length(0);
        }
    }

    /// The length of an active block, as it was asked for; 0 for what is not the handle of one.
    #[inline]
    pub fn length(&self, handle: u64) -> u64 {
        block::find(&self.memory, handle).map_or(0, |block| block.length.into())
    }

    /// The same as [`length`](Self::length). Upstream's takes a shortcut that gives garbage for
    /// what is not a handle.
    #[inline]
    pub fn length_unsafe(&self, handle: u64) -> u64 {
        self.length(handle)
    }

    /// The byte at `offset`, 0 outside the heap.
    #[inline]
    pub fn load_u8(&self, offset: u64) -> u8 {
        self.address(offset, 1)
            .map_or(0, |at| self.memory.load_u8(at))
    }

    /// The eight bytes from `offset` on, 0 when one of them is outside the heap.
    #[inline]
    pub fn load_u64(&self, offset: u64) -> u64 {
        self.address(offset, 8)
            .map_or(0, |at| self.memory.load_u64(at))
    }

    /// Sets the byte at `offset`. Ignored outside the heap and where the kernel keeps its own data.
    #[inline]
    pub fn store_u8(&mut self, offset: u64, value: u8) {
        if let Some(at) = self.address(offset, 1)
            && self.is_storable(at)
        {
            self.memory.store_u8(at, value);
        }
    }

    /// Sets the eight bytes from `offset` on. Ignored when one of them is where
    /// [`store_u8`](Self::store_u8) would be ignored.
    #[inline]
    pub fn store_u64(&mut self, offset: u64, value: u64) {
        if let Some(at) = self.address(offset, 8)
            && self.is_storable(at)
            && (Page::of(at) == Page::of(at + 7) || self.is_storable(at + 7))
        {
            self.memory.store_u64(at, value);
        }
    }

    /// The length of the input.
    #[inline]
    pub fn input_length(&self) -> u64 {
        self.memory.load_u64(INPUT_LENGTH)
    }

    /// The handle of the input.
    #[inline]
    pub fn input_offset(&self) -> u64 {
        self.memory.load_u64(INPUT_OFFSET)
    }

    /// The byte at an index of the input, 0 past its end.
    #[inline]
    pub fn input_load_u8(&self, index: u64) -> u8 {
        if index >= self.input_length() {
            return 0;
        }
        self.load_u8(self.input_offset().wrapping_add(index))
    }

    /// The eight bytes from an index of the input on, 0 when one of them is past its end.
    #[inline]
    pub fn input_load_u64(&self, index: u64) -> u64 {
        if index
            .checked_add(8)
            .is_none_or(|end| end > self.input_length())
        {
            return 0;
        }
        self.load_u64(self.input_offset().wrapping_add(index))
    }

    /// Makes a range the input. Ignored when it is not inside the heap.
    #[inline]
    pub fn input_set(&mut self, offset: u64, length: u64) {
        if self.range(offset, length).is_some() {
            self.memory.store_u64(INPUT_OFFSET, offset);
            self.set_input_length(length);
        }
    }

    #[inline]
    fn set_input_length(&mut self, length: u64) {
        self.memory.store_u64(INPUT_LENGTH, length);
        let loadable = length.saturating_sub(7);
        self.memory.store_u64(INPUT_LOADABLE_U64, loadable);
    }

    /// Makes a range, which need not be a block, the output. Ignored when it is not inside the
    /// heap.
    #[inline]
    pub fn output_set(&mut self, offset: u64, length: u64) {
        if self.range(offset, length).is_some() {
            self.memory.store_u64(OUTPUT_OFFSET, offset);
            self.memory.store_u64(OUTPUT_LENGTH, length);
        }
    }

    /// Where the output starts, 0 when none was set.
    #[inline]
    pub fn output_offset(&self) -> u64 {
        self.memory.load_u64(OUTPUT_OFFSET)
    }

    /// The length of the output, 0 when none was set.
    #[inline]
    pub fn output_length(&self) -> u64 {
        self.memory.load_u64(OUTPUT_LENGTH)
    }

    /// Makes a block the error message; 0 clears it. Ignored outside the heap.
    #[inline]
    pub fn error_set(&mut self, handle: u64) {
        if handle == 0 || self.address(handle, 1).is_some() {
            let length = self.length(handle);
            self.memory.store_u64(ERROR, handle);
            self.memory.store_u64(ERROR_LENGTH, length);
        }
    }

    /// What the last `error_set` set, or 0.
    #[inline]
    pub fn error_get(&self) -> u64 {
        self.memory.load_u64(ERROR)
    }

    /// Frees all blocks and clears input, output and error. The bytes stay as they are.
    #[inline]
    pub fn reset(&mut self) {
        let memory = &mut self.memory;
        let generation = memory.load_u64(GENERATION);
        memory.store_u64(GENERATION, generation.wrapping_add(1));
        memory.clear(GENERATION + 8, CONTROL_END - GENERATION - 8);
        pages::note_size(memory);
    }

    /// The capacity of the heap in bytes. It grows with the memory and never shrinks.
    #[inline]
    pub fn memory_bytes(&self) -> u64 {
        self.end().saturating_sub(HEAP_START.into())
    }

    /// Host: the most pages of the heap that were in use since [`forget_peak`](Self::forget_peak),
    /// at its start.
    #[inline]
    pub fn peak(&self) -> u32 {
        self.memory.load_u32(PEAK)
    }

    /// Host: from here on the peak is that of what comes.
    #[inline]
    pub fn forget_peak(&mut self) {
        self.memory.store_u32(PEAK, 0);
    }

    /// Host: the bytes of an active block.
    #[inline]
    pub fn block(&self, handle: u64) -> Option<Range<usize>> {
        let block = block::find(&self.memory, handle)?;
        self.range(handle, block.length.into())
    }

    /// Host: the bytes of the input.
    #[inline]
    pub fn input(&self) -> Range<usize> {
        self.range(self.input_offset(), self.input_length())
            .unwrap_or(0..0)
    }

    /// Host: the bytes of the output.
    #[inline]
    pub fn output(&self) -> Range<usize> {
        self.range(self.output_offset(), self.output_length())
            .unwrap_or(0..0)
    }

    /// Host: the bytes of the error message, if a block was made one. It may be freed since.
    #[inline]
    pub fn error(&self) -> Option<Range<usize>> {
        match self.memory.load_u64(ERROR_LENGTH) {
            0 => None,
            length => self.range(self.error_get(), length),
        }
    }

    /// Host: `length` bytes from `offset` on, if `offset` is in the heap and the end not beyond it.
    #[inline]
    pub fn range(&self, offset: u64, length: u64) -> Option<Range<usize>> {
        let start = self.address(offset, 1)? as usize;
        if length > self.end() - offset {
            return None;
        }
        start
            .checked_add(usize::try_from(length).ok()?)
            .map(|end| start..end)
    }

    /// The end of the memory.
    #[inline]
    fn end(&self) -> u64 {
        u64::from(self.memory.pages()) << PAGE_SHIFT
    }

    /// The address of `width` bytes, if all of them are in the heap.
    #[inline]
    fn address(&self, offset: u64, width: u64) -> Option<u32> {
        let inside = offset >= HEAP_START.into() && offset.checked_add(width)? <= self.end();
        if inside {
            u32::try_from(offset).ok()
        } else {
            None
        }
    }

    /// Whether a store may write to an address of the heap.
    #[inline]
    fn is_storable(&mut self, address: u32) -> bool {
        let left = !address & (PAGE_SIZE - 1);
        left < Page::of(address).u32(&self.memory, STORABLE) || self.is_no_header(Page::of(address))
    }

    /// The cache does not allow a store to this page: it is to a slab's header, or to what was one
    /// until the slab was freed or the kernel reset, or the first to a page that never was a slab.
    #[cold]
    #[inline(never)]
    fn is_no_header(&mut self, page: Page) -> bool {
        debug_assert!(page.number() >= HEAP_PAGE);
        let storable = page.kind(&self.memory) != Some(kind::SLAB);
        if storable {
            page.set_storable(&mut self.memory, PAGE_SIZE);
        }
        storable
    }
}
