//! The stacks of fibers, in slots: Wasmtime keeps the last one of each store.
//!
//! Below each is a page that cannot be touched. Since Linux 6.13 there are guard regions for that,
//! which take no mapping; before, the page is a mapping, and the stack another one.

use std::ops::Range;
use std::sync::OnceLock;

use rustix::mm::{Advice, MprotectFlags, madvise, mprotect};
use rustix::param::page_size;
use wasmtime::{Result, StackCreator, StackMemory, format_err};

use crate::arena::{Arena, Space};

/// Bytes for a guard and a stack.
const SLOT: usize = 1 << 20;
/// Bytes at the top of a stack whose memory stays when it is used again: what most guests need.
const TOP: usize = 16 << 10;

/// Of Linux, not yet in libc.
const MADV_GUARD_INSTALL: libc::c_int = 102;

static SLOTS: Arena = Arena::new(SLOT, leave_top);
/// Whether the system has guard regions.
static REGIONS: OnceLock<bool> = OnceLock::new();

pub(crate) struct Stacks;

struct Stack(Space);

/// The mappings that a stack takes at most.
pub(crate) fn mappings() -> u64 {
    if REGIONS.get() == Some(&true) { 0 } else { 2 }
}

// SAFETY: a stack is page-aligned, has at least the size that is asked for, and the page below it
// cannot be touched.
unsafe impl StackCreator for Stacks {
    fn new_stack(&self, size: usize, zeroed: bool) -> Result<Box<dyn StackMemory>> {
        if zeroed || size > SLOT - page_size() {
            return Err(format_err!(
                "a stack has {SLOT} bytes with its guard, and is not zeroed; {size} were asked for"
            ));
        }
        let stack = Stack(SLOTS.take()?);
        // That of a slot that was used before is still there.
        if stack.0.is_new()
            && let Err(error) = guard(stack.guard_range().start)
        {
            // Nor is it used again.
            std::mem::forget(stack);
            return Err(error);
        }
        Ok(Box::new(stack))
    }
}

/// Gives back the memory of a stack but that at its top. What is in that is not seen by the next guest: a
/// frame is written before it is read.
unsafe fn leave_top(base: *mut u8, _used: usize) -> Option<usize> {
    // SAFETY: private anonymous memory of a slot that nobody uses. Its guard stays.
    let left = unsafe { madvise(base.cast(), SLOT - TOP, Advice::LinuxDontNeed) };
    left.ok().map(|()| TOP / page_size())
}

/// Makes the page at `at`, the one below a stack, untouchable, for good.
fn guard(at: *mut u8) -> Result<()> {
    if *REGIONS.get_or_init(|| install(at)) && install(at) {
        return Ok(());
    }
    protect(at)
}

fn protect(at: *mut u8) -> Result<()> {
    // SAFETY: a page of a slot that belongs to the stack, and that the stack does not use.
    unsafe { mprotect(at.cast(), page_size(), MprotectFlags::empty()) }?;
    Ok(())
}

fn install(at: *mut u8) -> bool {
    // SAFETY: as in `protect`.
    unsafe { libc::madvise(at.cast(), page_size(), MADV_GUARD_INSTALL) == 0 }
}

// SAFETY: the ranges are in the slot, whose end is the stack's.
unsafe impl StackMemory for Stack {
    fn top(&self) -> *mut u8 {
        self.0.base().wrapping_add(self.0.size())
    }

    fn range(&self) -> Range<usize> {
        self.guard_range().end as usize..self.top() as usize
    }

    fn guard_range(&self) -> Range<*mut u8> {
        let base = self.0.base();
        base..base.wrapping_add(page_size())
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use super::*;

    /// Whether a byte can be read: the system says so without a signal.
    fn readable(at: *mut u8) -> bool {
        let (_reader, writer) = std::io::pipe().unwrap();
        // SAFETY: the system checks the address, and fails with EFAULT.
        unsafe { libc::write(writer.as_raw_fd(), at.cast(), 1) == 1 }
    }

    #[test]
    fn the_page_below_a_stack_cannot_be_touched_and_the_stack_can() {
        for _ in 0..3 {
            let stacks: Vec<_> = (0..4)
                .map(|_| Stacks.new_stack(768 << 10, false).unwrap())
                .collect();
            for stack in &stacks {
                assert!(stack.range().len() >= 768 << 10);
                assert!(!readable(stack.guard_range().start));
                assert!(!readable(stack.guard_range().end.wrapping_sub(1)));
                assert!(readable(stack.range().start as *mut u8));
                assert!(readable(stack.top().wrapping_sub(1)));
            }
        }
    }

    #[test]
    fn the_guard_stays_whether_the_memory_is_kept_or_not() {
        for _ in 0..2 {
            // More than are kept with memory.
            let stacks: Vec<_> = (0..200)
                .map(|_| Stacks.new_stack(768 << 10, false).unwrap())
                .collect();
            for stack in &stacks {
                assert!(!readable(stack.guard_range().start));
                assert!(!readable(stack.guard_range().end.wrapping_sub(1)));
                // SAFETY: a byte of a stack that nothing runs on.
                unsafe { stack.top().sub(1).write(1) };
                assert!(readable(stack.range().start as *mut u8));
            }
        }
    }

    #[test]
    fn where_there_are_no_guard_regions_a_page_is_protected() {
        static OTHERS: Arena = Arena::new(SLOT, |_, _| None);
        let space = OTHERS.take().unwrap();
        assert!(readable(space.base()));
        protect(space.base()).unwrap();
        assert!(!readable(space.base()));
        assert!(readable(space.base().wrapping_add(page_size())));
    }
}
