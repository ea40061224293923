//! Linear memories in the layout for speed: each has 4 GiB of addresses with guards around them, so that
//! the processor finds out what is out of bounds.
//!
//! Wasmtime would do the same, and unmap them. Here a few are kept.

use std::io;
use std::mem::ManuallyDrop;
use std::sync::Arc;

use rustix::param::page_size;
use wasmtime::{LinearMemory, MemoryCreator, MemoryType, Result};

use crate::kept_regions;
use crate::memory_image::{self, MemoryImage};
use crate::outcome::NO_SPACE;
use crate::region::Region;

/// Addresses for a memory to grow in, when it has outgrown what was reserved. One with addresses of 32 bits
/// does not.
const ROOM: usize = 2 << 30;

pub(crate) struct Memories;

struct Memory {
    region: ManuallyDrop<Region>,
    len: usize,
    /// What could be touched of it when it was made.
    first: usize,
    /// What it began with, if that was not zero.
    image: Option<Arc<MemoryImage>>,
}

// SAFETY: what `new_memory` gives is of the length that is asked for, has what is to be reserved and guarded
// around it, belongs to this memory alone until it is dropped, and is zero, or has the data in it that was
// taken out of the module.
unsafe impl MemoryCreator for Memories {
    fn new_memory(
        &self,
        _ty: MemoryType,
        minimum: usize,
        _maximum: Option<usize>,
        reserved: Option<usize>,
        guard: usize,
    ) -> Result<Box<dyn LinearMemory>, String> {
        let memory = Memory::new(minimum, reserved.unwrap_or(0), guard);
        Ok(Box::new(memory.map_err(|e| format!("{NO_SPACE}: {e}"))?))
    }
}

/// Bytes of the pages that `len` bytes take.
fn pages_of(len: usize) -> io::Result<usize> {
    len.checked_next_multiple_of(page_size())
        .ok_or_else(|| io::ErrorKind::OutOfMemory.into())
}

impl Memory {
    fn new(len: usize, reserved: usize, guard: usize) -> io::Result<Memory> {
        let first = pages_of(len)?;
        let reserved = reserved.max(first);
        let image = memory_image::next(len);
        let region = match &image {
            Some(image) => kept_regions::begun(image, first, reserved, guard)?,
            None => kept_regions::blank(first, reserved, guard)?,
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
        // SAFETY: nobody has it after this.
        let mut region = unsafe { ManuallyDrop::take(&mut self.region) };
        // The next one may well be of the same module, and then has what can be touched now.
        // SAFETY: the memory is dropped, and nobody else has a reference to what is in it.
        let Some(pages) = (unsafe { region.wipe(self.first, self.image.as_deref()) }) else {
            return;
        };
        kept_regions::keep(region, pages, self.image.as_ref());
    }
}

// SAFETY: `as_ptr` is the start of `byte_capacity` bytes, of which `byte_size` were asked for and can be
// touched. It changes only in `grow_to`, which keeps the bytes, where a memory has outgrown what was
// reserved for it; those that are added are zero, because nobody could write there.
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
    use std::os::fd::AsRawFd;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use vitrine_rewrite::DataImage;

    use super::*;
    use crate::memory_image::with_image;

    const RESERVED: usize = 1 << 20;
    const GUARD: usize = 1 << 16;

    fn made(minimum: usize) -> Memory {
        Memory::new(minimum, RESERVED, GUARD).unwrap()
    }

    fn made_with(image: &Arc<MemoryImage>, len: usize) -> Memory {
        let made = with_image(Some(image.clone()), async { Ok(made(len)) });
        match pin!(made).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(made) => made.unwrap(),
            Poll::Pending => panic!("it waits for nothing"),
        }
    }

    fn bytes(memory: &mut Memory) -> &mut [u8] {
        // SAFETY: readable and writable in its length, and borrowed for as long.
        unsafe { std::slice::from_raw_parts_mut(memory.as_ptr(), memory.byte_size()) }
    }

    /// Whether a byte can be read: the system says so without a signal.
    fn readable(at: *mut u8) -> bool {
        let (_reader, writer) = std::io::pipe().unwrap();
        // SAFETY: the system checks the address, and fails with EFAULT.
        unsafe { libc::write(writer.as_raw_fd(), at.cast(), 1) == 1 }
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
    fn nothing_can_be_touched_around_a_memory() {
        for minimum in [1, 4096, 65_536, RESERVED] {
            let mut memory = made(minimum);
            assert_bounds(&memory);
            assert!(bytes(&mut memory).iter().all(|b| *b == 0));
        }
        assert!(!readable(made(0).as_ptr()));
    }

    #[test]
    fn what_was_used_is_blank_and_has_its_bounds_when_it_is_used_again() {
        for round in 0..50 {
            let mut memory = made(if round % 3 == 0 { 65_536 } else { 131_072 });
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
    fn it_is_used_again() {
        // Other tests may take it first.
        assert!((0..100).any(|_| {
            let before = made(3 * 4096).as_ptr();
            made(3 * 4096).as_ptr() == before
        }));
    }

    #[test]
    fn a_memory_that_outgrows_what_was_reserved_keeps_its_bytes() {
        let mut memory = made(65_536);
        bytes(&mut memory).fill(7);
        let before = memory.as_ptr();
        memory.grow_to(RESERVED).unwrap();
        assert_eq!(memory.as_ptr(), before);
        memory.grow_to(RESERVED + 1).unwrap();
        assert_ne!(memory.as_ptr(), before);
        assert_bounds(&memory);
        assert!(memory.byte_capacity() > ROOM);
        assert!(bytes(&mut memory)[..65_536].iter().all(|b| *b == 7));
        assert!(bytes(&mut memory)[65_536..].iter().all(|b| *b == 0));
    }

    #[test]
    fn a_memory_that_cannot_grow_stays_as_it_is() {
        let mut memory = made(65_536);
        bytes(&mut memory).fill(7);
        let before = memory.as_ptr();
        for much in [usize::MAX / 2, usize::MAX - page_size(), usize::MAX] {
            assert!(memory.grow_to(much).is_err());
            assert!(Memory::new(much, RESERVED, GUARD).is_err());
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
        assert!(bytes(&mut memory)[65_536..].iter().all(|b| *b == 0));
    }

    #[test]
    fn each_with_an_image_has_its_own_copy_of_what_it_writes() {
        for start in [0, 5000, 8192, 60_000] {
            let image = MemoryImage::new(&DataImage {
                memory: 65_536,
                start,
                bytes: vec![9; 5536],
            });
            let image = Arc::new(image.unwrap());
            for _ in 0..3 {
                let mut memory = made_with(&image, 65_536);
                assert_bounds(&memory);
                let (before, rest) = bytes(&mut memory).split_at_mut(start);
                let (data, after) = rest.split_at_mut(5536);
                assert!(data.iter().all(|b| *b == 9));
                assert!(before.iter().chain(&*after).all(|b| *b == 0));
                bytes(&mut memory).fill(1);
                memory.grow_to(131_072).unwrap();
                assert!(bytes(&mut memory)[65_536..].iter().all(|b| *b == 0));
            }
            // What was not touched is no page of its own.
            drop(made_with(&image, 65_536));
            assert!(bytes(&mut made(65_536)).iter().all(|b| *b == 0));
        }
    }

    fn image(byte: u8) -> Arc<MemoryImage> {
        let image = MemoryImage::new(&DataImage {
            memory: 65_536,
            start: 5000,
            bytes: vec![byte; 20_000],
        });
        Arc::new(image.unwrap())
    }

    fn assert_begins_with(memory: &mut Memory, byte: u8) {
        assert_bounds(memory);
        let (before, rest) = bytes(memory).split_at(5000);
        let (data, after) = rest.split_at(20_000);
        assert!(data.iter().all(|b| *b == byte));
        assert!(before.iter().chain(after).all(|b| *b == 0));
    }

    #[test]
    fn a_memory_with_an_image_is_used_again_by_others_with_the_same_image() {
        let images = [1, 2, 3].map(image);
        let mut again = 0;
        let mut before = [std::ptr::null_mut(); 3];
        for round in 0..60 {
            let which = round * 7 % 3;
            let mut memory = made_with(&images[which], 65_536);
            again += usize::from(memory.as_ptr() == before[which]);
            before[which] = memory.as_ptr();
            assert_begins_with(&mut memory, which as u8 + 1);
            bytes(&mut memory)[round * 1000..][..6000].fill(9);
            memory.grow_to(65_536 + round * 4096).unwrap();
            bytes(&mut memory)[65_536..].fill(9);
        }
        assert!(again > 30, "{again}");
    }

    #[test]
    fn two_at_once_with_an_image_have_memories_of_their_own() {
        let image = image(5);
        for _ in 0..3 {
            let mut both = [made_with(&image, 65_536), made_with(&image, 65_536)];
            bytes(&mut both[0]).fill(9);
            assert_begins_with(&mut both[1], 5);
        }
    }

    #[test]
    fn nothing_is_kept_for_an_image_that_is_no_more() {
        let image = image(6);
        let weak = Arc::downgrade(&image);
        // Other tests may take all addresses that there are, and with them what is kept.
        assert!((0..100).any(|_| {
            drop(made_with(&image, 65_536));
            kept_regions::take_of(&weak).is_some()
        }));
        drop(made_with(&image, 65_536));
        drop(image);
        assert!(kept_regions::take_of(&weak).is_none());
    }

    #[test]
    fn a_memory_that_outlives_everybody_else_with_its_image_is_given_back() {
        let image = image(7);
        let weak = Arc::downgrade(&image);
        let mut memory = made_with(&image, 65_536);
        drop(image);
        assert_begins_with(&mut memory, 7);
        drop(memory);
        assert!(kept_regions::take_of(&weak).is_none());
    }

    #[test]
    fn a_memory_with_an_image_that_outgrows_what_was_reserved_keeps_its_bytes() {
        let image = MemoryImage::new(&DataImage {
            memory: 65_536,
            start: 20_000,
            bytes: vec![9; 9000],
        });
        let mut memory = made_with(&Arc::new(image.unwrap()), 65_536);
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
