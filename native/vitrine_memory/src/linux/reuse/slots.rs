//! Address space in slots of one size, cut from mappings of a gigabyte. The system merges adjacent mappings, so any
//! number of slots takes a few of them. A slot takes memory only where it is written to. When it is dropped, it goes
//! back to its pool: a few slots stay resident, the others are decommitted.

use std::io;
use std::ptr::{NonNull, null_mut};

use parking_lot::Mutex;
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};

use super::resident_pool::ResidentPool;
use crate::system::pages::decommit::decommit;
use crate::system::pages::mremap::move_or_copy;

/// The number of bytes of a mapping that slots are cut from.
const CHUNK: usize = 1 << 30;

/// Makes a slot ready for its next user. So many bytes at its start may have been used. Returns how many pages it
/// still has, or `None` if it was left as it was. Nobody else has a reference to the slot.
type Reset = unsafe fn(*mut u8, usize) -> Option<usize>;

/// Slots of one size.
pub(crate) struct SlotPool {
    /// The number of bytes of a slot. The size of a chunk is a multiple of this.
    slot: usize,
    reset: Reset,
    free: Mutex<Free>,
}

struct Free {
    /// Slots that were used and have resident pages.
    resident: ResidentPool<Base>,
    /// Slots that were used and are decommitted.
    decommitted: Vec<Base>,
    /// The chunk that new slots are cut from, with the number of slots that are left at its start.
    chunk: Option<Base>,
    left: usize,
}

#[derive(Clone, Copy)]
struct Base(NonNull<u8>);

// SAFETY: a base is an address. The bytes there belong to the one `Slot` that has it.
unsafe impl Send for Base {}
// SAFETY: a shared reference gives the address only.
unsafe impl Sync for Base {}

/// Readable and writable memory, page-aligned. A new slot is zero. A slot that was used before is as the pool's reset
/// left it.
pub(crate) struct Slot {
    base: Base,
    size: usize,
    /// The number of bytes at the slot's start that may have been used.
    used: usize,
    /// Whether the slot was never used before.
    new: bool,
    /// Whether all of the slot belongs to one mapping.
    whole: bool,
    /// The pool that the slot goes back to when it is dropped. A slot without a pool is a mapping of its own, and is
    /// unmapped when it is dropped.
    pool: Option<&'static SlotPool>,
}

impl SlotPool {
    pub(crate) const fn new(slot: usize, reset: Reset) -> Self {
        assert!(CHUNK.is_multiple_of(slot));
        let free = Free {
            resident: ResidentPool::new(),
            decommitted: Vec::new(),
            chunk: None,
            left: 0,
        };
        SlotPool {
            slot,
            reset,
            free: Mutex::new(free),
        }
    }

    pub(crate) fn take(&'static self) -> io::Result<Slot> {
        let mut free = self.free.lock();
        let used = free
            .resident
            .take(|_| true)
            .or_else(|| free.decommitted.pop());
        let base = match used {
            Some(base) => base,
            None => self.cut(&mut free)?,
        };
        Ok(Slot {
            base,
            size: self.slot,
            used: self.slot,
            new: used.is_none(),
            whole: true,
            pool: Some(self),
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
        // SAFETY: the slot's number is below the number of slots in the chunk, so this stays inside the mapping.
        Ok(Base(unsafe { chunk.0.add(free.left * self.slot) }))
    }

    fn put_back(&self, base: Base, used: usize) {
        // SAFETY: the slot is dropped, and with it the only reference to its bytes.
        if let Some(pages) = unsafe { (self.reset)(base.0.as_ptr(), used) }
            && self.free.lock().resident.keep(base, pages).is_ok()
        {
            return;
        }
        // SAFETY: a slot is private anonymous memory, and nobody has a reference to it any more. It reads as zeros
        // after this.
        let decommitted = unsafe { decommit(base.0.as_ptr(), self.slot) };
        // A slot that cannot be decommitted (it may be locked in memory) is not used again.
        if decommitted.is_ok() {
            self.free.lock().decommitted.push(base);
        }
    }
}

impl Slot {
    /// A mapping of its own, for memories that no slot of a pool is large enough for.
    pub(crate) fn mapping(size: usize) -> io::Result<Slot> {
        Ok(Slot {
            base: map(size)?,
            size,
            used: size,
            new: true,
            whole: true,
            pool: None,
        })
    }

    pub(crate) fn base(&self) -> *mut u8 {
        self.base.0.as_ptr()
    }

    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// Returns true if the slot was never used before.
    pub(crate) fn is_new(&self) -> bool {
        self.new
    }

    /// Notes how many bytes at the slot's start may have been used. The others are as they were at first.
    pub(crate) fn set_used(&mut self, used: usize) {
        self.used = used;
    }

    /// A larger slot that begins with the first `len` bytes of this one, which is not used any more.
    pub(crate) fn outgrown(&self, len: usize, size: usize) -> io::Result<Slot> {
        // SAFETY: `len` is a memory's length, which is not above either size. Both are mappings or slots of this
        // file, and different ones.
        unsafe {
            move_or_copy(self.base(), len, self.whole, || {
                let mut larger = Slot::mapping(size)?;
                larger.whole = false;
                let to = larger.base();
                Ok((larger, to))
            })
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        match self.pool {
            Some(pool) => pool.put_back(self.base, self.used),
            None => {
                // SAFETY: `map` mapped it with this size, and nobody has a reference to it. This can only fail for
                // want of mappings, and then the addresses stay mapped.
                unsafe {
                    let _ = decommit(self.base(), self.used);
                    let _ = munmap(self.base().cast(), self.size);
                }
            }
        }
    }
}

fn map(size: usize) -> io::Result<Base> {
    let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
    // SAFETY: the mapping is new, at an address that the system chooses.
    let mapped =
        unsafe { mmap_anonymous(null_mut(), size, ProtFlags::READ | ProtFlags::WRITE, flags)? };
    // With huge pages one byte that is written to takes 2 MiB. On a system without huge pages this call fails.
    // SAFETY: the mapping is ours, and nothing is in it yet.
    let _ = unsafe { madvise(mapped, size, Advice::LinuxNoHugepage) };
    NonNull::new(mapped.cast())
        .map(Base)
        .ok_or_else(|| io::ErrorKind::OutOfMemory.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::pages::reset::reset_to_zeros;

    static RESIDENT: SlotPool = SlotPool::new(1 << 20, reset_to_zeros);
    static DECOMMITTED: SlotPool = SlotPool::new(1 << 20, |_, _| None);

    fn bytes(slot: &mut Slot) -> &mut [u8] {
        // SAFETY: the slot is readable and writable in its size, and borrowed for as long.
        unsafe { std::slice::from_raw_parts_mut(slot.base(), slot.size()) }
    }

    #[test]
    fn slots_do_not_overlap_and_are_zero_when_they_are_used_again() {
        for pool in [&RESIDENT, &DECOMMITTED] {
            // Some stay resident, some do not, and in the end all of the slot is used.
            for used in [8 << 10, 1 << 18, 1 << 20, 64 << 10] {
                let mut slots: Vec<_> = (0..40).map(|_| pool.take().unwrap()).collect();
                for (byte, slot) in (1..).zip(&mut slots) {
                    assert!(bytes(slot).iter().all(|b| *b == 0));
                    bytes(slot)[..used].fill(byte);
                }
                for (byte, slot) in (1..).zip(&mut slots) {
                    assert!(bytes(slot)[..used].iter().all(|b| *b == byte));
                    slot.set_used(used);
                }
            }
        }
    }

    #[test]
    fn a_slot_that_was_used_before_is_not_new() {
        static SLOTS: SlotPool = SlotPool::new(1 << 20, reset_to_zeros);
        let slot = SLOTS.take().unwrap();
        assert!(slot.is_new());
        drop(slot);
        assert!(!SLOTS.take().unwrap().is_new());
        assert!(Slot::mapping(1 << 20).unwrap().is_new());
    }

    #[test]
    fn an_outgrown_slot_leaves_its_bytes_to_the_larger_one_and_zeros_to_the_next() {
        let mut small = RESIDENT.take().unwrap();
        bytes(&mut small)[..8192].fill(7);
        let mut large = small.outgrown(8192, 1 << 22).unwrap();
        assert_eq!(large.size(), 1 << 22);
        assert!(bytes(&mut large)[..8192].iter().all(|b| *b == 7));
        assert!(bytes(&mut large)[8192..].iter().all(|b| *b == 0));
        drop(small);
        let mut again: Vec<_> = (0..3).map(|_| RESIDENT.take().unwrap()).collect();
        assert!(again.iter_mut().all(|s| bytes(s).iter().all(|b| *b == 0)));
    }
}
