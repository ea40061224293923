//! The time of a call, by what it was spent on. It is recorded while the call runs, and read if the call runs out of time.

use std::time::Duration;

/// The event that a parked call waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Awaited {
    /// The host function at this index of the list given to [`crate::LinkedPlugin::new`].
    HostFunction(usize),
    /// An HTTP request to this URL.
    Http(String),
    /// A log line, or printed text.
    Log,
    /// A wait of WASI, such as a sleep.
    Wasi,
    /// The wait until instances of the module that were discarded are dropped.
    Admission,
}

/// Waits shorter than this are not told apart, in nanoseconds.
const SHORT: u64 = 100_000;

/// The most different things whose waits are told apart.
const MOST: usize = 16;

/// The time of a call, by what it was spent on, in nanoseconds. Time that is in none of these fields was spent waiting for
/// a scheduler.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spent {
    /// The whole time of the call.
    pub total: u64,
    /// Time of making the instance, including the guest's initialisers.
    pub initialising: u64,
    /// Time of the guest's code after that.
    pub guest: u64,
    /// Total time of the long waits for each thing.
    pub awaited: Vec<(Awaited, u64)>,
    /// Time of all other waits.
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

    /// The time that a scheduler was needed.
    pub(crate) fn running(&self) -> Duration {
        Duration::from_nanos(self.initialising + self.guest)
    }

    /// The time that the call waited for a scheduler.
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
    fn waits_are_added_up_for_each_thing_and_short_or_excess_ones_count_as_others() {
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
    fn unaccounted_time_is_the_wait_for_a_scheduler() {
        let mut spent = Spent {
            total: 100 * MILLISECOND,
            ..Spent::default()
        };
        spent.ran(Duration::from_millis(20), false);
        spent.ran(Duration::from_millis(30), true);
        spent.awaited(Awaited::Wasi, 10 * MILLISECOND);
        assert_eq!(spent.queued(), 40 * MILLISECOND);
        // Times of slices are rounded, so their sum may exceed the total.
        spent.ran(Duration::from_millis(80), true);
        assert_eq!(spent.queued(), 0);
    }
}
