//! Where and when an instance is made: on a normal scheduler if that is known to take no time worth
//! mentioning, and not before most of what was lost of its module has been dropped.

use std::future::poll_fn;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::task::Poll;
use std::time::Duration;

use crate::plugin::Shared;

/// An instance that takes longer, with all that its initialisers do, is no work for a normal scheduler.
const QUICK: Duration = Duration::from_micros(250);
/// How many were slow, one after the other, until none is tried there: a thread that the operating system
/// held up looks the same.
const DOUBTS: u32 = 3;

/// How long instances of the same modules took.
pub(crate) struct Making(AtomicU32);

impl Default for Making {
    /// Nothing was seen yet: the first is made on a dirty scheduler.
    fn default() -> Self {
        Making(AtomicU32::new(DOUBTS))
    }
}

impl Making {
    pub(crate) fn note(&self, took: Duration) {
        let doubts = self.0.load(Relaxed);
        let doubts = if took <= QUICK {
            doubts.saturating_sub(1)
        } else {
            (doubts + 1).min(DOUBTS)
        };
        self.0.store(doubts, Relaxed);
    }

    fn is_quick(&self) -> bool {
        self.0.load(Relaxed) < DOUBTS
    }
}

/// Whether an instance may be made on a normal scheduler, as far as is known.
pub(crate) fn is_short(shared: &Shared) -> bool {
    shared.links.making.is_quick() && !shared.opens_directories()
}

/// Waits until a call may make its instance, on a scheduler where it may.
pub(crate) async fn turn(shared: &Shared) {
    let short = is_short(shared);
    poll_fn(|context| {
        if !short && !shared.control.is_dirty() {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        match shared.main().backlog.admits(context.waker()) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    })
    .await;
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOW: Duration = Duration::from_millis(1);

    #[test]
    fn what_was_not_seen_is_slow_until_it_is_seen() {
        let making = Making::default();
        assert!(!making.is_quick());
        making.note(SLOW);
        assert!(!making.is_quick());
        making.note(QUICK);
        assert!(making.is_quick());
    }

    #[test]
    fn one_that_was_held_up_changes_nothing_and_some_in_a_row_do() {
        let making = Making::default();
        (0..100).for_each(|_| making.note(QUICK));
        for _ in 1..DOUBTS {
            making.note(SLOW);
            assert!(making.is_quick());
        }
        making.note(SLOW);
        assert!(!making.is_quick());
    }
}
