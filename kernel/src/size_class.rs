//! How sizes are put into classes, by arithmetic rather than by table: a table would be a data
//! segment of the wasm.

use crate::layout::{ALIGN, PAGE_SIZE};

/// Size classes of small blocks: 16, 32, … 128, then four to each doubling.
pub const CLASSES: u32 = 36;
/// Bytes in the largest small block; what is larger gets pages of its own.
pub const MAX_SMALL: u32 = 16_384;
/// Bins of free runs: 1, 2, … 7 pages, then four to each doubling.
pub const BINS: u32 = 59;

/// The smallest class whose blocks have room for `length` bytes, `1 <= length <= MAX_SMALL`.
#[inline]
pub fn class_of(length: u32) -> u32 {
    let last = length.saturating_sub(1);
    if last < 128 {
        last / ALIGN
    } else {
        let log = last.ilog2();
        8 + (log - 7) * 4 + ((last >> (log - 2)) & 3)
    }
}

/// Bytes in a block of a class; classes that do not exist count as the last one.
#[inline]
pub fn block_size(class: u32) -> u32 {
    let class = class.min(CLASSES - 1);
    if class < 8 {
        (class + 1) * ALIGN
    } else {
        (5 + (class & 3)) << (3 + class / 4)
    }
}

/// Blocks in a slab of a class.
#[inline]
pub fn capacity(class: u32) -> u32 {
    // Each block takes an entry of two bytes; up to 14 bytes are lost to the alignment of the first
    // block.
    (PAGE_SIZE - (ALIGN - 2)) / (block_size(class) + 2)
}

/// Where the first block starts in a slab of so many blocks.
#[inline]
pub fn header_size(capacity: u32) -> u32 {
    (2 * capacity).next_multiple_of(ALIGN)
}

/// The bin that a free run of so many pages is kept in. Every run in a higher bin is longer than
/// any run in a lower one.
#[inline]
pub fn bin_of(pages: u32) -> u32 {
    if pages < 8 {
        pages.saturating_sub(1)
    } else {
        let log = pages.ilog2().min(15);
        7 + (log - 3) * 4 + ((pages >> (log - 2)) & 3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_gets_the_smallest_class_with_room() {
        for length in 1..=MAX_SMALL {
            let class = class_of(length);
            assert!(class < CLASSES);
            assert!(block_size(class) >= length);
            assert!(class == 0 || block_size(class - 1) < length);
        }
        assert_eq!(block_size(CLASSES - 1), MAX_SMALL);
    }

    #[test]
    fn blocks_are_aligned_and_fill_the_page_without_leaving_it() {
        for class in 0..CLASSES {
            let (size, blocks) = (block_size(class), capacity(class));
            let end = header_size(blocks) + blocks * size;
            assert_eq!(size % ALIGN, 0);
            assert!(
                end <= PAGE_SIZE && end + size + ALIGN > PAGE_SIZE,
                "class {class}"
            );
        }
    }

    #[test]
    fn bins_are_ordered_by_size() {
        for pages in 1..65_535 {
            assert!(bin_of(pages) <= bin_of(pages + 1));
        }
        assert_eq!((bin_of(1), bin_of(7), bin_of(8)), (0, 6, 7));
        assert_eq!(bin_of(65_535), BINS - 1);
    }

    #[test]
    fn no_argument_panics() {
        for value in [0, 1, u32::MAX, 1 << 31, PAGE_SIZE] {
            assert!(bin_of(value) < 64);
            assert!(block_size(value) > 0);
        }
    }
}
