//! In what a call's time went: kept in passing while the call runs, read when it has run out of time.

use std::time::Duration;

/// What a call that is parked waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Awaited {
    /// The host function at this index of the list given to [`crate::LinkedPlugin::new`].
    HostFunction(usize),
    /// An HTTP request to this URL.
    Http(String),
    /// Something that was logged or printed.
    Log,
    /// What WASI waits for, such as the end of a sleep, or instances to be dropped.
    Wasi,
}

/// Waits that are not worth to be told apart, in nanoseconds.
const SHORT: u64 = 100_000;

/// How many long waits for different things are told apart.
const MOST: usize = 16;

/// In what a call's time went, in nanoseconds. What is in none of these is the wait for a scheduler.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spent {
    /// All of the time.
    pub total: u64,
    /// In the guest's code that initialises the instance, and making that.
    pub initialising: u64,
    /// In the guest's code after that.
    pub guest: u64,
    /// In what took a while, for each in all.
    pub awaited: Vec<(Awaited, u64)>,
    /// In the rest of what the call waited for.
    pub others: u64,
}

impl Spent {
    pub(crate) fn ran(&mut self, took: Duration, initialised: bool) {
        let took = took.as_nanos() as u64;
        if initialised {
            self.guest += took;
        } else {
            self.initialising += took;
        }
    }

    pub(crate) fn awaited(&mut self, what: Awaited, took: u64) {
        if took < SHORT {
            self.others += took;
            return;
        }
        let full = self.awaited.len() == MOST;
        match self.awaited.iter_mut().find(|(known, _)| *known == what) {
            Some((_, time)) => *time += took,
            None if full => self.others += took,
            None => self.awaited.push((what, took)),
        }
    }

    /// What a scheduler was needed for.
    pub(crate) fn running(&self) -> Duration {
        Duration::from_nanos(self.initialising + self.guest)
    }

    /// The wait for a scheduler.
    pub fn queued(&self) -> u64 {
        let awaited: u64 = self.awaited.iter().map(|(_, time)| time).sum();
        let known = self.initialising + self.guest + self.others + awaited;
        self.total.saturating_sub(known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: u64 = 1_000_000;

    #[test]
    fn waits_for_one_thing_are_added_up_and_what_is_short_or_too_many_is_put_together() {
        let mut spent = Spent::default();
        for index in 0..2 * MOST {
            spent.awaited(Awaited::HostFunction(index), MILLISECOND);
        }
        spent.awaited(Awaited::HostFunction(3), MILLISECOND);
        spent.awaited(Awaited::HostFunction(4), SHORT / 2);
        assert_eq!(spent.awaited.len(), MOST);
        assert_eq!(spent.awaited[3].1, 2 * MILLISECOND);
        assert_eq!(spent.awaited[4].1, MILLISECOND);
        assert_eq!(spent.others, MOST as u64 * MILLISECOND + SHORT / 2);
    }

    #[test]
    fn what_is_not_accounted_for_is_the_wait_for_a_scheduler() {
        let mut spent = Spent {
            total: 100 * MILLISECOND,
            ..Spent::default()
        };
        spent.ran(Duration::from_millis(20), false);
        spent.ran(Duration::from_millis(30), true);
        spent.awaited(Awaited::Wasi, 10 * MILLISECOND);
        assert_eq!(spent.queued(), 40 * MILLISECOND);
        // Times of slices are rounded.
        spent.ran(Duration::from_millis(80), true);
        assert_eq!(spent.queued(), 0);
    }
}
