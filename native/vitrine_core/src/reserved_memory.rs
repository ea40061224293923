//! Linear memories in the layout for speed: each has 4 GiB of addresses with guards around them, so that
//! the processor finds out what is out of bounds.
//!
//! Wasmtime would do the same, and unmap them: mapping and unmapping takes the system longer than all else
//! that makes an instance. Here a few are kept, zeroed, with the pages that they have.

use std::io;
use std::mem::ManuallyDrop;
use std::ptr::{NonNull, null_mut};

use parking_lot::Mutex;
use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap};
use rustix::param::page_size;
use wasmtime::{LinearMemory, MemoryCreator, MemoryType, Result};

use crate::memory_image::{self, MemoryImage};
use crate::moved::moved;
use crate::outcome::NO_SPACE;
use crate::release::release;
use crate::warm::Warm;
use crate::wipe::wipe;

/// Addresses for a memory to grow in, when it has outgrown what was reserved. One with addresses of 32 bits
/// does not.
const ROOM: usize = 2 << 30;

static KEPT: Mutex<Warm<Region>> = Mutex::new(Warm::new());

pub(crate) struct Memories;

struct Memory {
    region: ManuallyDrop<Region>,
    len: usize,
    /// Its length when it was made.
    minimum: usize,
}

/// A mapping: a guard, what is reserved for a memory, and another guard. Nothing can be touched but the
/// accessible bytes that the reserved ones begin with.
struct Region {
    base: NonNull<u8>,
    reserved: usize,
    guard: usize,
    accessible: usize,
    /// Whether nothing is mapped there.
    blank: bool,
}

// SAFETY: it is the only owner of its mapping.
unsafe impl Send for Region {}
// SAFETY: what is shared gives addresses and lengths.
unsafe impl Sync for Region {}

// SAFETY: what `new_memory` gives is zero, of the length that is asked for, has what is to be reserved and
// guarded around it, and belongs to this memory alone until it is dropped.
unsafe impl MemoryCreator for Memories {
    fn new_memory(
        &self,
        _ty: MemoryType,
        minimum: usize,
        _maximum: Option<usize>,
        reserved: Option<usize>,
        guard: usize,
    ) -> Result<Box<dyn LinearMemory>, String> {
        let reserved = reserved.unwrap_or(0).max(pages_of(minimum));
        let region = match memory_image::next() {
            Some(image) if image.memory() != minimum => {
                return Err("there is an image for this memory, but of another length".into());
            }
            Some(image) => with_image(&image, minimum, reserved, guard),
            None => take(minimum, reserved, guard),
        };
        let region = region.map_err(|e| format!("{NO_SPACE}: {e}"))?;
        Ok(Box::new(Memory {
            region: ManuallyDrop::new(region),
            len: minimum,
            minimum,
        }))
    }
}

/// Bytes of the pages that `len` bytes take.
fn pages_of(len: usize) -> usize {
    len.next_multiple_of(page_size())
}

fn take(minimum: usize, reserved: usize, guard: usize) -> io::Result<Region> {
    let accessible = pages_of(minimum);
    let kept = KEPT.lock().take(|region| region.accessible == accessible);
    let mut region = match kept {
        Some(region) if (region.reserved, region.guard) == (reserved, guard) => region,
        _ => Region::map(reserved, guard)?,
    };
    region.make_accessible(accessible)?;
    Ok(region)
}

fn with_image(
    image: &MemoryImage,
    minimum: usize,
    reserved: usize,
    guard: usize,
) -> io::Result<Region> {
    let mut region = Region::map(reserved, guard)?;
    region.make_accessible(pages_of(minimum))?;
    // SAFETY: these pages of a new mapping are for a memory of that length.
    unsafe { image.map(region.base.as_ptr())? };
    region.blank = false;
    Ok(region)
}

impl Region {
    fn map(reserved: usize, guard: usize) -> io::Result<Region> {
        let size = guard.checked_mul(2).and_then(|g| g.checked_add(reserved));
        let size = size.ok_or(io::ErrorKind::OutOfMemory)?;
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        // SAFETY: a new mapping, at an address that the system chooses.
        let start = unsafe { mmap_anonymous(null_mut(), size.max(1), ProtFlags::empty(), flags)? };
        let base = NonNull::new(start.cast::<u8>()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Region {
            // SAFETY: the guard is a part of the mapping.
            base: unsafe { base.add(guard) },
            reserved,
            guard,
            accessible: 0,
            blank: true,
        })
    }

    /// A region for so many bytes, and more, which begins with those of this one.
    fn outgrown(&self, wanted: usize) -> io::Result<Region> {
        let reserved = wanted.saturating_add(ROOM);
        // SAFETY: both are mapped and can be touched in that length, and are different mappings. This one
        // is not used any more.
        unsafe {
            moved(self.base.as_ptr(), self.accessible, || {
                let mut region = Region::map(reserved, self.guard)?;
                region.make_accessible(self.accessible)?;
                region.blank = self.blank;
                let to = region.base.as_ptr();
                Ok((region, to))
            })
        }
    }

    /// Lets so many bytes be touched, whole pages inside what is reserved, and no others.
    fn make_accessible(&mut self, wanted: usize) -> io::Result<()> {
        let (from, to, flags) = match wanted > self.accessible {
            true => (
                self.accessible,
                wanted,
                MprotectFlags::READ | MprotectFlags::WRITE,
            ),
            false => (wanted, self.accessible, MprotectFlags::empty()),
        };
        if from < to {
            // SAFETY: pages of the mapping that nobody has a reference to: a memory that has them becomes
            // larger, or is not there yet.
            unsafe { mprotect(self.base.as_ptr().add(from).cast(), to - from, flags)? };
            self.accessible = wanted;
        }
        Ok(())
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: nobody has a reference to what the mapping begins with.
        let _ = unsafe { release(self.base.as_ptr(), self.accessible) };
        let size = self.guard * 2 + self.reserved;
        // SAFETY: it was mapped with this size by `map`, where this is its start, and nobody has a
        // reference to it. It can only fail for want of mappings, and then stays.
        let _ = unsafe { munmap(self.base.as_ptr().sub(self.guard).cast(), size.max(1)) };
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: nobody has it after this.
        let mut region = unsafe { ManuallyDrop::take(&mut self.region) };
        if !region.blank {
            return;
        }
        // SAFETY: private anonymous memory that can be written to, of a memory that is dropped.
        let wiped = unsafe { wipe(region.base.as_ptr(), region.accessible) };
        let Some(pages) = wiped else { return };
        // The next one may well be of the same module.
        if region.make_accessible(pages_of(self.minimum)).is_ok() {
            let kept = KEPT.lock().keep(region, pages);
            // What is too much is unmapped, without the lock.
            drop(kept);
        }
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
        self.region.reserved
    }

    fn grow_to(&mut self, len: usize) -> Result<()> {
        let wanted = pages_of(len);
        if wanted > self.region.reserved {
            *self.region = self.region.outgrown(wanted)?;
        }
        self.region.make_accessible(wanted)?;
        self.len = len;
        Ok(())
    }

    fn as_ptr(&self) -> *mut u8 {
        self.region.base.as_ptr()
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use super::*;
    use crate::data_image::DataImage;

    const RESERVED: usize = 1 << 20;
    const GUARD: usize = 1 << 16;

    fn made(minimum: usize) -> Memory {
        Memory {
            region: ManuallyDrop::new(take(minimum, RESERVED, GUARD).unwrap()),
            len: minimum,
            minimum,
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
        let end = base.wrapping_add(pages_of(memory.len));
        assert!(!readable(end) && !readable(base.wrapping_sub(1)));
        let last = base.wrapping_add(memory.region.reserved + GUARD - 1);
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
        assert!(memory.grow_to(usize::MAX / 2).is_err());
        assert!(bytes(&mut memory)[..65_536].iter().all(|b| *b == 7));
    }

    #[test]
    fn each_with_an_image_has_its_own_copy_of_what_it_writes() {
        for start in [0, 5000, 8192, 60_000] {
            let image = MemoryImage::new(&DataImage {
                memory: 65_536,
                start,
                bytes: vec![9; 5536],
            });
            let image = image.unwrap();
            for _ in 0..3 {
                let region = with_image(&image, 65_536, RESERVED, GUARD).unwrap();
                let mut memory = Memory {
                    region: ManuallyDrop::new(region),
                    len: 65_536,
                    minimum: 65_536,
                };
                assert_bounds(&memory);
                let (before, rest) = bytes(&mut memory).split_at_mut(start);
                let (data, after) = rest.split_at_mut(5536);
                assert!(data.iter().all(|b| *b == 9));
                assert!(before.iter().chain(&*after).all(|b| *b == 0));
                bytes(&mut memory).fill(1);
                memory.grow_to(131_072).unwrap();
                assert!(bytes(&mut memory)[65_536..].iter().all(|b| *b == 0));
            }
        }
    }
}
