//! The budget of a slice: how long a guest may run before the BEAM gets its scheduler back.

use std::time::Duration;

/// The kind of scheduler on which a slice runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheduler {
    /// A normal scheduler. A whole call may use about a millisecond of these.
    Normal,
    /// A dirty CPU scheduler.
    Dirty,
}

/// The time of normal schedulers that one call may use in all. The epoch moves every half millisecond, so a slice ends within
/// half a millisecond after its budget.
pub(crate) const NORMAL_BUDGET: Duration = Duration::from_micros(500);

/// The bounds of a dirty slice in nanoseconds. Slices shrink as more calls want them.
const LONGEST: u64 = 2_000_000;
const SHORTEST: u64 = 500_000;

/// The time that one slice for each waiting call may take in all, in nanoseconds for each dirty scheduler.
const ROUND: u64 = 40_000_000;

/// Nanoseconds of the next dirty slice, if `wanted` calls share `schedulers` schedulers.
pub(crate) fn dirty_budget(schedulers: usize, wanted: usize) -> u64 {
    (ROUND * schedulers as u64 / wanted.max(1) as u64).clamp(SHORTEST, LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dirty_slices_shrink_as_more_calls_want_them_and_stay_within_their_bounds() {
        assert_eq!(dirty_budget(2, 0), LONGEST);
        assert_eq!(dirty_budget(2, 16), LONGEST);
        assert_eq!(dirty_budget(2, 80), 1_000_000);
        assert_eq!(dirty_budget(4, 160), 1_000_000);
        assert_eq!(dirty_budget(2, 100_000), SHORTEST);
    }
}
