//! Linear memories in the layout for speed: each has 4 GiB of addresses with guards around them, so that the processor
//! finds accesses out of bounds.
//!
//! Wasmtime would do the same, and unmap each memory when it is dropped. Here a few are kept for the next instances.

use std::io;
use std::mem::ManuallyDrop;

use rustix::param::page_size;
use wasmtime::{LinearMemory, MemoryCreator, MemoryType, Result};

use super::handover;
use super::reuse::region::Region;
use super::reuse::region_pool;
use super::reuse::shared_image::SharedImage;
use crate::out_of_memory::NO_SPACE;

/// The addresses that a memory can grow into once it has outgrown its reservation. A memory with 32-bit addresses never
/// outgrows its reservation.
const ROOM: usize = 2 << 30;

pub(super) struct Memories;

struct Memory {
    region: ManuallyDrop<Region>,
    len: usize,
    /// The accessible bytes that it began with.
    first: usize,
    /// The image that it began with. Without one it began with zeros.
    image: Option<SharedImage>,
}

// SAFETY: the memories that `new_memory` makes have the length that is asked for, and the reservation and the guards
// around it. They belong to their instance alone until they are dropped. They are zero, or begin with the data that
// was taken out of the module.
unsafe impl MemoryCreator for Memories {
    fn new_memory(
        &self,
        _ty: MemoryType,
        minimum: usize,
        _maximum: Option<usize>,
        reserved: Option<usize>,
        guard: usize,
    ) -> Result<Box<dyn LinearMemory>, String> {
        let image = handover::next(minimum)?;
        let memory = Memory::new(minimum, reserved.unwrap_or(0), guard, image);
        Ok(Box::new(memory.map_err(|e| format!("{NO_SPACE}: {e}"))?))
    }
}

/// The number of bytes of the pages that `len` bytes take.
fn pages_of(len: usize) -> io::Result<usize> {
    len.checked_next_multiple_of(page_size())
        .ok_or_else(|| io::ErrorKind::OutOfMemory.into())
}

impl Memory {
    fn new(
        len: usize,
        reserved: usize,
        guard: usize,
        image: Option<SharedImage>,
    ) -> io::Result<Memory> {
        let first = pages_of(len)?;
        let reserved = reserved.max(first);
        let region = match &image {
            Some(image) => region_pool::take_with(image.image(), first, reserved, guard)?,
            None => region_pool::take_blank(first, reserved, guard)?,
        };
        Ok(Memory {
            region: ManuallyDrop::new(region),
            len,
            first,
            image,
        })
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: the memory is dropped, and nobody takes the region after this.
        let mut region = unsafe { ManuallyDrop::take(&mut self.region) };
        let image = self.image.as_ref().map(SharedImage::image);
        // The next memory may well be of the same module, and then needs as many accessible bytes.
        // SAFETY: the memory is dropped, and nobody else has a reference to its bytes.
        if let Some(pages) = unsafe { region.reset(self.first, image) } {
            region_pool::put_back(region, pages, image);
        }
    }
}

// SAFETY: `as_ptr` is the start of `byte_capacity` bytes, of which `byte_size` were asked for and are accessible. It
// changes only in `grow_to`, which keeps the bytes, when a memory has outgrown its reservation. Bytes that are added
// are zero, because nobody could write there.
unsafe impl LinearMemory for Memory {
    fn byte_size(&self) -> usize {
        self.len
    }

    fn byte_capacity(&self) -> usize {
        self.region.layout().0
    }

    fn grow_to(&mut self, len: usize) -> Result<()> {
        let wanted = pages_of(len)?;
        if wanted > self.byte_capacity() {
            *self.region = self.region.outgrown(wanted, wanted.saturating_add(ROOM))?;
        } else {
            self.region.make_accessible(wanted)?;
        }
        self.len = len;
        Ok(())
    }

    fn as_ptr(&self) -> *mut u8 {
        self.region.base()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::readable::readable;

    const LEN: usize = 65_536;
    const RESERVED: usize = 1 << 20;
    const GUARD: usize = 1 << 16;

    fn made(minimum: usize) -> Memory {
        Memory::new(minimum, RESERVED, GUARD, None).unwrap()
    }

    fn made_with(image: &SharedImage) -> Memory {
        Memory::new(LEN, RESERVED, GUARD, Some(image.clone())).unwrap()
    }

    fn bytes(memory: &mut Memory) -> &mut [u8] {
        // SAFETY: the memory is readable and writable in its length, and borrowed for as long.
        unsafe { std::slice::from_raw_parts_mut(memory.as_ptr(), memory.byte_size()) }
    }

    fn assert_bounds(memory: &Memory) {
        let base = memory.as_ptr();
        assert!(readable(base) && readable(base.wrapping_add(memory.len - 1)));
        let end = base.wrapping_add(pages_of(memory.len).unwrap());
        assert!(!readable(end) && !readable(base.wrapping_sub(1)));
        let last = base.wrapping_add(memory.byte_capacity() + GUARD - 1);
        assert!(!readable(last) && !readable(base.wrapping_sub(GUARD)));
    }

    #[test]
    fn bytes_around_a_memory_are_not_readable() {
        for minimum in [1, 4096, LEN, RESERVED] {
            let mut memory = made(minimum);
            assert_bounds(&memory);
            assert!(bytes(&mut memory).iter().all(|b| *b == 0));
        }
        assert!(!readable(made(0).as_ptr()));
    }

    #[test]
    fn a_memory_that_is_used_again_is_zero_and_has_its_bounds() {
        for round in 0..50 {
            let mut memory = made(if round % 3 == 0 { LEN } else { 131_072 });
            assert_bounds(&memory);
            assert!(bytes(&mut memory).iter().all(|b| *b == 0), "{round}");
            bytes(&mut memory)[round * 1300] = 1;
            memory.grow_to(131_072 + round * 4096).unwrap();
            assert_bounds(&memory);
            let written = memory.byte_size() - round * 1300 - 1;
            assert!(bytes(&mut memory)[131_072..].iter().all(|b| *b == 0));
            bytes(&mut memory)[written] = 1;
        }
    }

    #[test]
    fn the_addresses_of_a_dropped_memory_are_used_again() {
        // Other tests may take it first.
        assert!((0..100).any(|_| {
            let before = made(3 * 4096).as_ptr();
            made(3 * 4096).as_ptr() == before
        }));
    }

    #[test]
    fn a_memory_that_outgrows_what_was_reserved_keeps_its_bytes() {
        let mut memory = made(LEN);
        bytes(&mut memory).fill(7);
        let before = memory.as_ptr();
        memory.grow_to(RESERVED).unwrap();
        assert_eq!(memory.as_ptr(), before);
        memory.grow_to(RESERVED + 1).unwrap();
        assert_ne!(memory.as_ptr(), before);
        assert_bounds(&memory);
        assert!(memory.byte_capacity() > ROOM);
        assert!(bytes(&mut memory)[..LEN].iter().all(|b| *b == 7));
        assert!(bytes(&mut memory)[LEN..].iter().all(|b| *b == 0));
    }

    #[test]
    fn a_memory_that_cannot_grow_stays_as_it_is() {
        let mut memory = made(LEN);
        bytes(&mut memory).fill(7);
        let before = memory.as_ptr();
        for much in [usize::MAX / 2, usize::MAX - page_size(), usize::MAX] {
            assert!(memory.grow_to(much).is_err());
            assert!(Memory::new(much, RESERVED, GUARD, None).is_err());
        }
        assert!(
            memory
                .region
                .make_accessible(RESERVED + page_size())
                .is_err()
        );
        assert_bounds(&memory);
        assert_eq!(
            (memory.as_ptr(), memory.byte_capacity()),
            (before, RESERVED)
        );
        assert!(bytes(&mut memory).iter().all(|b| *b == 7));
        memory.grow_to(131_072).unwrap();
        assert!(bytes(&mut memory)[LEN..].iter().all(|b| *b == 0));
    }

    #[test]
    fn memories_with_one_image_have_their_own_copies_of_pages_that_they_write_to() {
        for start in [0, 5000, 8192, 60_000] {
            let image = SharedImage::new(LEN, start, &[9; 5536]).unwrap();
            for _ in 0..3 {
                let mut memory = made_with(&image);
                assert_bounds(&memory);
                let (before, rest) = bytes(&mut memory).split_at_mut(start);
                let (data, after) = rest.split_at_mut(5536);
                assert!(data.iter().all(|b| *b == 9));
                assert!(before.iter().chain(&*after).all(|b| *b == 0));
                bytes(&mut memory).fill(1);
                memory.grow_to(131_072).unwrap();
                assert!(bytes(&mut memory)[LEN..].iter().all(|b| *b == 0));
            }
            // Regions with an image are not used for memories without one.
            drop(made_with(&image));
            assert!(bytes(&mut made(LEN)).iter().all(|b| *b == 0));
        }
    }

    fn image(byte: u8) -> SharedImage {
        SharedImage::new(LEN, 5000, &[byte; 20_000]).unwrap()
    }

    fn assert_begins_with(memory: &mut Memory, byte: u8) {
        assert_bounds(memory);
        let (before, rest) = bytes(memory).split_at(5000);
        let (data, after) = rest.split_at(20_000);
        assert!(data.iter().all(|b| *b == byte));
        assert!(before.iter().chain(after).all(|b| *b == 0));
    }

    #[test]
    fn regions_with_an_image_are_used_again_for_the_same_image_only() {
        let images = [1, 2, 3].map(image);
        let mut again = 0;
        let mut before = [std::ptr::null_mut(); 3];
        for round in 0..60 {
            let which = round * 7 % 3;
            let mut memory = made_with(&images[which]);
            again += usize::from(memory.as_ptr() == before[which]);
            before[which] = memory.as_ptr();
            assert_begins_with(&mut memory, which as u8 + 1);
            bytes(&mut memory)[round * 1000..][..6000].fill(9);
            memory.grow_to(LEN + round * 4096).unwrap();
            bytes(&mut memory)[LEN..].fill(9);
        }
        assert!(again > 30, "{again}");
    }

    #[test]
    fn two_memories_with_one_image_at_once_do_not_see_each_other() {
        let image = image(5);
        for _ in 0..3 {
            let mut both = [made_with(&image), made_with(&image)];
            bytes(&mut both[0]).fill(9);
            assert_begins_with(&mut both[1], 5);
        }
    }

    #[test]
    fn regions_with_an_image_are_dropped_with_the_image() {
        let image = image(6);
        let id = image.image().id();
        // Other tests may use up the addresses, and then all regions of the pool are dropped.
        assert!((0..100).any(|_| {
            drop(made_with(&image));
            region_pool::take_kept(id).is_some()
        }));
        drop(made_with(&image));
        drop(image);
        assert!(region_pool::take_kept(id).is_none());
    }

    #[test]
    fn a_region_whose_memory_was_the_last_user_of_its_image_is_not_kept() {
        let image = image(7);
        let id = image.image().id();
        let mut memory = made_with(&image);
        drop(image);
        assert_begins_with(&mut memory, 7);
        drop(memory);
        assert!(region_pool::take_kept(id).is_none());
    }

    #[test]
    fn a_memory_with_an_image_that_outgrows_what_was_reserved_keeps_its_bytes() {
        let image = SharedImage::new(LEN, 20_000, &[9; 9000]).unwrap();
        let mut memory = made_with(&image);
        bytes(&mut memory)[25_000..60_000].fill(7);
        memory.grow_to(RESERVED + 1).unwrap();
        assert_bounds(&memory);
        let parts = [
            (0..20_000, 0),
            (20_000..25_000, 9),
            (25_000..60_000, 7),
            (60_000..RESERVED + 1, 0),
        ];
        for (part, byte) in parts {
            assert!(
                bytes(&mut memory)[part].iter().all(|b| *b == byte),
                "{byte}"
            );
        }
    }
}
