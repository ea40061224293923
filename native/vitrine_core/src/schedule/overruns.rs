//! Plugins that cannot be interrupted in time on a normal scheduler, found out by trying.
//!
//! What fails in a few calls is not tried again until as many were quick on a dirty scheduler; a few,
//! because a thread that the operating system held up looks the same.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use crate::schedule::budget::{NORMAL_BUDGET, Scheduler};

/// Calls that overran after which a plugin is sent to dirty schedulers from the start.
const TOO_MANY: u32 = 3;
/// A slice on a normal scheduler that took longer than this was not interrupted in time.
const OVERRUN: Duration = Duration::from_millis(4);

/// The calls of a plugin that overran of late.
#[derive(Default)]
pub(crate) struct Overruns(AtomicU32);

impl Overruns {
    pub(crate) fn is_one(scheduler: Scheduler, took: Duration) -> bool {
        scheduler == Scheduler::Normal && took > OVERRUN
    }

    /// Counts a call that has ended: whether one of its slices overran, and how long it ran in all.
    pub(crate) fn note(&self, overran: bool, ran: Duration) {
        let now = self.0.load(Relaxed);
        if overran {
            self.0.store((now + 1).min(2 * TOO_MANY), Relaxed);
        } else if now > 0 && ran < NORMAL_BUDGET {
            self.0.store(now - 1, Relaxed);
        }
    }

    pub(crate) fn too_many(&self) -> bool {
        self.0.load(Relaxed) >= TOO_MANY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Duration = Duration::ZERO;
    const LONG: Duration = Duration::from_millis(50);

    #[test]
    fn calls_that_overrun_are_too_many_however_quickly_they_end_then() {
        let overruns = Overruns::default();
        assert!(Overruns::is_one(Scheduler::Normal, LONG));
        assert!(!Overruns::is_one(Scheduler::Dirty, LONG));
        for _ in 0..TOO_MANY {
            assert!(!overruns.too_many());
            overruns.note(true, LONG);
        }
        assert!(overruns.too_many());
    }

    #[test]
    fn quick_calls_make_up_for_them_and_long_ones_do_not() {
        let overruns = Overruns::default();
        (0..100).for_each(|_| overruns.note(true, LONG));
        (0..100).for_each(|_| overruns.note(false, LONG));
        assert!(overruns.too_many());
        (0..=TOO_MANY).for_each(|_| overruns.note(false, QUICK));
        assert!(!overruns.too_many());
    }
}
