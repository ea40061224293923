//! The stacks of fibers, in slots. Wasmtime keeps the last stack of each store.
//!
//! Below each stack is a guard page, which cannot be read or written to. Since Linux 6.13 the system has guard
//! regions, which take no mapping. On older systems the guard is a mapping of its own, and the stack another one.

use std::ops::Range;
use std::sync::OnceLock;

use rustix::mm::{Advice, MprotectFlags, madvise, mprotect};
use rustix::param::page_size;
use wasmtime::{Result, StackCreator, StackMemory, format_err};

use super::reuse::slots::{Slot, SlotPool};

/// The number of bytes for a guard and a stack.
const SLOT: usize = 1 << 20;
/// The number of bytes at the top of a stack that stay resident. Most guests need no more.
const TOP: usize = 16 << 10;

/// The advice of Linux that libc does not have yet.
const MADV_GUARD_INSTALL: libc::c_int = 102;

static SLOTS: SlotPool = SlotPool::new(SLOT, leave_top);
/// Whether the system has guard regions.
static REGIONS: OnceLock<bool> = OnceLock::new();

pub(super) struct Stacks;

struct Stack(Slot);

/// The most mappings that a stack takes.
#[inline]
pub(crate) fn mappings() -> u64 {
    if REGIONS.get() == Some(&true) { 0 } else { 2 }
}

// SAFETY: a stack is page-aligned, has at least the size that is asked for, and the page below it can neither be
// read nor written to.
unsafe impl StackCreator for Stacks {
    fn new_stack(&self, size: usize, zeroed: bool) -> Result<Box<dyn StackMemory>> {
        if zeroed || size > SLOT - page_size() {
            return Err(format_err!(
                "a stack has {SLOT} bytes with its guard, and is not zeroed; {size} were asked for"
            ));
        }
        let stack = Stack(SLOTS.take()?);
        // A slot that was used before still has its guard.
        if stack.0.is_new()
            && let Err(error) = guard(stack.guard_range().start)
        {
            // A slot without a guard is never used again.
            std::mem::forget(stack);
            return Err(error);
        }
        Ok(Box::new(stack))
    }
}

/// Decommits all of a stack but its top. The next guest does not see the bytes there: a frame is written before it
/// is read.
unsafe fn leave_top(base: *mut u8, _used: usize) -> Option<usize> {
    // SAFETY: the slot is private anonymous memory that nobody uses. Its guard stays.
    let left = unsafe { madvise(base.cast(), SLOT - TOP, Advice::LinuxDontNeed) };
    left.ok().map(|()| TOP / page_size())
}

/// Makes the page at `at` a guard, for good.
fn guard(at: *mut u8) -> Result<()> {
    if *REGIONS.get_or_init(|| install(at)) && install(at) {
        return Ok(());
    }
    protect(at)
}

fn protect(at: *mut u8) -> Result<()> {
    // SAFETY: the page belongs to the stack's slot, and the stack does not use it.
    unsafe { mprotect(at.cast(), page_size(), MprotectFlags::empty()) }?;
    Ok(())
}

fn install(at: *mut u8) -> bool {
    // SAFETY: the page belongs to the stack's slot, and the stack does not use it.
    unsafe { libc::madvise(at.cast(), page_size(), MADV_GUARD_INSTALL) == 0 }
}

// SAFETY: the ranges are in the slot, and the slot's end is the stack's top.
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
    use super::*;
    use crate::system::readable::readable;

    #[test]
    fn a_stack_is_readable_and_its_guard_is_not() {
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
    fn the_guard_stays_whether_the_stack_stays_resident_or_not() {
        for _ in 0..2 {
            // These are more stacks than stay resident.
            let stacks: Vec<_> = (0..200)
                .map(|_| Stacks.new_stack(768 << 10, false).unwrap())
                .collect();
            for stack in &stacks {
                assert!(!readable(stack.guard_range().start));
                assert!(!readable(stack.guard_range().end.wrapping_sub(1)));
                // SAFETY: the byte is of a stack that nothing runs on.
                unsafe { stack.top().sub(1).write(1) };
                assert!(readable(stack.range().start as *mut u8));
            }
        }
    }

    #[test]
    fn a_guard_is_a_protected_page_where_there_are_no_guard_regions() {
        static OTHERS: SlotPool = SlotPool::new(SLOT, |_, _| None);
        let slot = OTHERS.take().unwrap();
        assert!(readable(slot.base()));
        protect(slot.base()).unwrap();
        assert!(!readable(slot.base()));
        assert!(readable(slot.base().wrapping_add(page_size())));
    }
}
