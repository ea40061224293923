//! Address space in slots of one size, cut from mappings of a gigabyte. The system merges those that
//! are adjacent, so that any number of slots takes a few mappings. A slot costs memory only where
//! it is written to, and is used again when it was dropped: a few of them with the memory that they
//! have, the others without.

use std::io;
use std::ptr::{NonNull, null_mut};

use parking_lot::Mutex;
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};

use crate::moved::moved;
use crate::release::release;
use crate::warm::Warm;

/// Bytes of a mapping that slots are cut from.
const CHUNK: usize = 1 << 30;

/// Makes a slot, of which so many bytes at its start may have been used, fit for its next user: how many
/// pages it still has. `None` if it was left as it was. Nobody else has a reference to the slot.
type Renew = unsafe fn(*mut u8, usize) -> Option<usize>;

pub(crate) struct Arena {
    /// Bytes of a slot, of which a chunk is a multiple.
    slot: usize,
    renew: Renew,
    free: Mutex<Free>,
}

struct Free {
    /// Slots that were used, and have memory.
    warm: Warm<Base>,
    /// Slots that were used, and have none.
    cold: Vec<Base>,
    /// The chunk that new slots are cut from, and how many are left at its end.
    chunk: Option<Base>,
    left: usize,
}

#[derive(Clone, Copy)]
struct Base(NonNull<u8>);

// SAFETY: it is an address. What is there belongs to the one `Space` that has it.
unsafe impl Send for Base {}
// SAFETY: the same.
unsafe impl Sync for Base {}

/// Readable and writable memory, page-aligned, and all zero when it is made, or in a slot as that was
/// renewed.
pub(crate) struct Space {
    base: Base,
    size: usize,
    /// Bytes at its start that may have been used.
    used: usize,
    /// Whether nobody has had it before.
    new: bool,
    /// Whether it is of one mapping.
    whole: bool,
    /// Where it goes when it is dropped; it is unmapped if it is a mapping of its own.
    arena: Option<&'static Arena>,
}

impl Arena {
    pub(crate) const fn new(slot: usize, renew: Renew) -> Self {
        assert!(CHUNK.is_multiple_of(slot));
        let free = Free {
            warm: Warm::new(),
            cold: Vec::new(),
            chunk: None,
            left: 0,
        };
        Arena {
            slot,
            renew,
            free: Mutex::new(free),
        }
    }

    pub(crate) fn take(&'static self) -> io::Result<Space> {
        let mut free = self.free.lock();
        let used = free.warm.take(|_| true).or_else(|| free.cold.pop());
        let base = match used {
            Some(base) => base,
            None => self.cut(&mut free)?,
        };
        Ok(Space {
            base,
            size: self.slot,
            used: self.slot,
            new: used.is_none(),
            whole: true,
            arena: Some(self),
        })
    }

    fn cut(&self, free: &mut Free) -> io::Result<Base> {
        let chunk = match free.chunk {
            Some(chunk) if free.left > 0 => chunk,
            _ => {
                let chunk = map(CHUNK)?;
                free.chunk = Some(chunk);
                free.left = CHUNK / self.slot;
                chunk
            }
        };
        free.left -= 1;
        // SAFETY: a slot's number is below how many the chunk has, so this stays inside the mapping.
        Ok(Base(unsafe { chunk.0.add(free.left * self.slot) }))
    }

    fn give_back(&self, base: Base, used: usize) {
        // SAFETY: the space is dropped, and with it the only reference to the slot.
        if let Some(pages) = unsafe { (self.renew)(base.0.as_ptr(), used) }
            && self.free.lock().warm.keep(base, pages).is_ok()
        {
            return;
        }
        // SAFETY: a slot is private anonymous memory, of which nobody has a reference any more:
        // it reads as zeros after this.
        let emptied = unsafe { release(base.0.as_ptr(), self.slot) };
        // One that cannot be emptied (it may be locked in memory) is not used again.
        if emptied.is_ok() {
            self.free.lock().cold.push(base);
        }
    }
}

impl Space {
    /// A mapping of its own.
    pub(crate) fn new(size: usize) -> io::Result<Space> {
        Ok(Space {
            base: map(size)?,
            size,
            used: size,
            new: true,
            whole: true,
            arena: None,
        })
    }

    pub(crate) fn base(&self) -> *mut u8 {
        self.base.0.as_ptr()
    }

    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// Whether it is no slot that was used before.
    pub(crate) fn is_new(&self) -> bool {
        self.new
    }

    /// From here on it is as it was made.
    pub(crate) fn used_up_to(&mut self, used: usize) {
        self.used = used;
    }

    /// A larger space that begins with the first `len` bytes of this one, which is not used any more.
    pub(crate) fn moved(&self, len: usize, size: usize) -> io::Result<Space> {
        // SAFETY: `len` is a memory's length, which is not above either size, and both are mappings of
        // ours, or slots.
        unsafe {
            moved(self.base(), len, self.whole, || {
                let mut larger = Space::new(size)?;
                larger.whole = false;
                let to = larger.base();
                Ok((larger, to))
            })
        }
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        match self.arena {
            Some(arena) => arena.give_back(self.base, self.used),
            None => {
                // SAFETY: it was mapped with this size by `map`, and nobody has a reference to it.
                // It can only fail for want of mappings, and then stays.
                unsafe {
                    let _ = release(self.base(), self.used);
                    let _ = munmap(self.base().cast(), self.size);
                }
            }
        }
    }
}

fn map(size: usize) -> io::Result<Base> {
    let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
    // SAFETY: a new mapping, at an address that the system chooses.
    let mapped =
        unsafe { mmap_anonymous(null_mut(), size, ProtFlags::READ | ProtFlags::WRITE, flags)? };
    // A huge page is 2 MiB for who touches one byte of it. A system without them says no.
    // SAFETY: the mapping is ours, and nothing is in it yet.
    let _ = unsafe { madvise(mapped, size, Advice::LinuxNoHugepage) };
    NonNull::new(mapped.cast())
        .map(Base)
        .ok_or_else(|| io::ErrorKind::OutOfMemory.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wipe::wipe;

    static ARENA: Arena = Arena::new(1 << 20, wipe);
    static COLD: Arena = Arena::new(1 << 20, |_, _| None);

    fn bytes(space: &mut Space) -> &mut [u8] {
        // SAFETY: the space is readable and writable in its size, and borrowed for as long.
        unsafe { std::slice::from_raw_parts_mut(space.base(), space.size()) }
    }

    #[test]
    fn slots_do_not_overlap_and_are_zero_when_they_are_used_again() {
        for arena in [&ARENA, &COLD] {
            // Some that stay warm, some that do not, and all of the memory.
            for used in [8 << 10, 1 << 18, 1 << 20, 64 << 10] {
                let mut spaces: Vec<_> = (0..40).map(|_| arena.take().unwrap()).collect();
                for (byte, space) in (1..).zip(&mut spaces) {
                    assert!(bytes(space).iter().all(|b| *b == 0));
                    bytes(space)[..used].fill(byte);
                }
                for (byte, space) in (1..).zip(&mut spaces) {
                    assert!(bytes(space)[..used].iter().all(|b| *b == byte));
                    space.used_up_to(used);
                }
            }
        }
    }

    #[test]
    fn a_slot_that_was_used_is_not_new() {
        static SLOTS: Arena = Arena::new(1 << 20, wipe);
        let space = SLOTS.take().unwrap();
        assert!(space.is_new());
        drop(space);
        assert!(!SLOTS.take().unwrap().is_new());
        assert!(Space::new(1 << 20).unwrap().is_new());
    }

    #[test]
    fn what_is_moved_keeps_its_bytes_and_leaves_zeros() {
        let mut small = ARENA.take().unwrap();
        bytes(&mut small)[..8192].fill(7);
        let mut large = small.moved(8192, 1 << 22).unwrap();
        assert_eq!(large.size(), 1 << 22);
        assert!(bytes(&mut large)[..8192].iter().all(|b| *b == 7));
        assert!(bytes(&mut large)[8192..].iter().all(|b| *b == 0));
        drop(small);
        let mut again: Vec<_> = (0..3).map(|_| ARENA.take().unwrap()).collect();
        assert!(again.iter_mut().all(|s| bytes(s).iter().all(|b| *b == 0)));
    }
}
