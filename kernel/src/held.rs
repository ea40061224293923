//! What is not handed out although it may be free: input, output and error message are ranges that are
//! read later, and guests free a block that they made one of them, or have the host free it.

use crate::layout::{
    ERROR, ERROR_LENGTH, INPUT_LENGTH, INPUT_OFFSET, MAX_PAGES, OUTPUT_LENGTH, OUTPUT_OFFSET,
    PAGE_SHIFT, PAGE_SIZE,
};
use crate::memory::Memory;

/// Where the offset and the length of each range are.
const RANGES: [(u32, u32); COUNT] = [
    (INPUT_OFFSET, INPUT_LENGTH),
    (OUTPUT_OFFSET, OUTPUT_LENGTH),
    (ERROR, ERROR_LENGTH),
];

/// How many ranges there are.
pub const COUNT: usize = 3;

/// Whether some of the bytes are held.
#[inline]
pub fn overlaps<M: Memory>(memory: &M, start: u64, length: u64) -> bool {
    RANGES
        .iter()
        .any(|range| end_beyond(memory, *range, start, length).is_some())
}

/// The first number from `start` on at which so many pages are that hold nothing.
#[inline(never)]
pub fn skip<M: Memory>(memory: &M, start: u32, pages: u32) -> u32 {
    let mut start = start;
    // Each round leaves one range behind for good.
    for _ in 0..COUNT {
        let at = u64::from(start) << PAGE_SHIFT;
        let length = u64::from(pages) << PAGE_SHIFT;
        let end = RANGES
            .iter()
            .find_map(|range| end_beyond(memory, *range, at, length));
        match end {
            Some(end) => start = end.div_ceil(PAGE_SIZE.into()).min(MAX_PAGES.into()) as u32,
            None => break,
        }
    }
    start
}

/// The end of a range that shares bytes with others.
#[inline]
fn end_beyond<M: Memory>(memory: &M, range: (u32, u32), start: u64, length: u64) -> Option<u64> {
    let held = memory.load_u64(range.0);
    // Wraps only where the kernel's data was overwritten.
    let end = held.wrapping_add(memory.load_u64(range.1));
    (held < start.wrapping_add(length) && start < end).then_some(end)
}
