//! A budget of memory mappings, so that instances are refused before the system's limit is reached.
//!
//! The BEAM ends when the system refuses it memory, and so does most other code in the process. So a part of the
//! limit is left to others.
//!
//! Counting mappings takes milliseconds where there are many. So they are counted only when as many were taken as
//! there seemed to be left: rarely while there are few, more often towards the end. Nothing here waits:
//! [`try_take`] is for normal schedulers, [`take`] may count and is for dirty ones.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::system;

/// The time for which a refusal stands before mappings are counted again.
const PATIENCE: Duration = Duration::from_millis(100);

/// One part in `MARGIN` of the limit is left to others.
const MARGIN: u64 = 16;

/// The mappings of stacks that are still to be made.
static PROMISED: AtomicU64 = AtomicU64::new(0);

static BUDGET: LazyLock<Mutex<Budget>> = LazyLock::new(Mutex::default);

/// Room for the stack of an instance's fiber, which the instance's first call makes. Drop it once the stack is made.
#[derive(Debug)]
pub struct Promised(u64);

impl Promised {
    fn new(mappings: u64) -> Promised {
        PROMISED.fetch_add(mappings, Relaxed);
        Promised(mappings)
    }
}

impl Drop for Promised {
    fn drop(&mut self) {
        PROMISED.fetch_sub(self.0, Relaxed);
    }
}

/// The process has as many mappings as it may have, apart from the part of the limit that is left to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full {
    /// The mappings that there are, or that were promised.
    pub mapped: u64,
    /// The mappings that the system allows.
    pub limit: u64,
}

/// The most mappings that so many memories take in [`crate::Layout::Reserved`]: each takes one for the used bytes, and
/// one on each side of them.
pub fn of_memories(count: u64) -> u64 {
    3 * count
}

/// The most mappings that so many images add to those of their memories: each adds one for the image, and one for the
/// bytes that follow it.
pub fn of_images(count: u64) -> u64 {
    2 * count
}

/// Takes `count` mappings and those of a stack, if that is possible without counting.
pub fn try_take(count: u64) -> Option<Promised> {
    let stack = system::stack_mappings();
    // The lock is held while mappings are counted.
    let mut budget = BUDGET.try_lock()?;
    budget.left = budget.left.checked_sub(count + stack)?;
    Some(Promised::new(stack))
}

/// Takes `count` mappings and those of a stack. May count mappings, which takes milliseconds.
///
/// # Errors
///
/// Returns an error if too few mappings are left.
pub fn take(count: u64) -> Result<Promised, Full> {
    let stack = system::stack_mappings();
    BUDGET
        .lock()
        .take(count + stack, Instant::now(), look)
        .map(|()| Promised::new(stack))
}

/// The number of mappings that there are or will be, and the number that there may be.
type Look = Option<(u64, u64)>;

fn look() -> Look {
    let (mapped, limit) = system::count_mappings()?;
    Some((mapped + PROMISED.load(Relaxed), limit))
}

#[derive(Default)]
struct Budget {
    left: u64,
    full: Option<(Instant, Full)>,
}

impl Budget {
    fn take(&mut self, count: u64, now: Instant, look: impl FnOnce() -> Look) -> Result<(), Full> {
        if count > self.left {
            if let Some((since, full)) = self.full
                && now.duration_since(since) < PATIENCE
            {
                return Err(full);
            }
            self.full = None;
            self.left = match look() {
                // The system has no such limit.
                None => u64::MAX,
                Some((mapped, limit)) => {
                    let left = (limit - limit / MARGIN).saturating_sub(mapped);
                    if count > left {
                        let full = Full { mapped, limit };
                        (self.left, self.full) = (0, Some((now, full)));
                        return Err(full);
                    }
                    left
                }
            };
        }
        self.left -= count;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mappings_are_counted_again_when_what_was_left_is_taken() {
        let now = Instant::now();
        let mut budget = Budget::default();
        assert_eq!(budget.take(100, now, || Some((700, 1600))), Ok(()));
        for _ in 0..7 {
            assert_eq!(
                budget.take(100, now, || panic!("there were 800 left")),
                Ok(())
            );
        }
        // The memories took fewer than was assumed, or were unmapped meanwhile.
        assert_eq!(budget.take(100, now, || Some((1300, 1600))), Ok(()));
        assert_eq!(budget.left, 100);
    }

    #[test]
    fn a_margin_is_left_to_others_and_a_refusal_stands_for_a_while() {
        let now = Instant::now();
        let full = Full {
            mapped: 1450,
            limit: 1600,
        };
        let mut budget = Budget::default();
        assert_eq!(budget.take(51, now, || Some((1450, 1600))), Err(full));
        assert_eq!(budget.take(51, now, || panic!("too soon")), Err(full));
        let later = now + PATIENCE;
        assert_eq!(budget.take(51, later, || Some((1449, 1600))), Ok(()));
    }

    #[test]
    fn a_system_that_tells_no_limit_has_none() {
        let mut budget = Budget::default();
        let now = Instant::now();
        assert_eq!(budget.take(1 << 40, now, || None), Ok(()));
        assert_eq!(budget.take(1 << 40, now, || panic!("asked again")), Ok(()));
    }
}
