//! How long a guest may run before the BEAM has its scheduler back.

use std::time::Duration;

/// Where the next slice of a call runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheduler {
    /// On a normal scheduler: about a millisecond for the whole of a call.
    Normal,
    /// On a dirty CPU scheduler.
    Dirty,
}

/// What one call may use of normal schedulers altogether. The epoch moves each half millisecond,
/// so a slice ends within that time after its budget.
pub(crate) const NORMAL_BUDGET: Duration = Duration::from_micros(500);

/// Dirty slices shrink between these bounds as more calls want them.
const LONGEST: u64 = 5_000_000;
const SHORTEST: u64 = 500_000;

/// What a round of all waiting calls may take, in nanoseconds for each dirty scheduler.
const ROUND: u64 = 40_000_000;

/// Nanoseconds of the next dirty slice, while so many calls want one of so many schedulers.
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
        assert_eq!(dirty_budget(2, 40), 2_000_000);
        assert_eq!(dirty_budget(4, 80), 2_000_000);
        assert_eq!(dirty_budget(2, 100_000), SHORTEST);
    }
}
