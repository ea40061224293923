//! Finds plugins that cannot be interrupted in time on a normal scheduler, by trying.
//!
//! A plugin that overruns in a few calls goes to dirty schedulers until as many calls were quick there. One overrun is not
//! enough, because a thread that the operating system held up looks the same.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use crate::schedule::budget::{NORMAL_BUDGET, Scheduler};

/// After so many overruns, the calls of a plugin begin on dirty schedulers.
const TOO_MANY: u32 = 3;
/// A slice on a normal scheduler that takes longer than this was not interrupted in time.
const OVERRUN: Duration = Duration::from_millis(4);

/// The number of a plugin's recent calls that overran.
#[derive(Default)]
pub(crate) struct Overruns(AtomicU32);

impl Overruns {
    pub(crate) fn is_one(scheduler: Scheduler, took: Duration) -> bool {
        scheduler == Scheduler::Normal && took > OVERRUN
    }

    /// Counts a call that has ended. `overran` says whether one of its slices overran, and `ran` how long it ran in all.
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
    fn three_overruns_on_a_normal_scheduler_are_too_many() {
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
    fn quick_calls_make_up_for_overruns_and_long_calls_do_not() {
        let overruns = Overruns::default();
        (0..100).for_each(|_| overruns.note(true, LONG));
        (0..100).for_each(|_| overruns.note(false, LONG));
        assert!(overruns.too_many());
        (0..=TOO_MANY).for_each(|_| overruns.note(false, QUICK));
        assert!(!overruns.too_many());
    }
}
