//! How long a guest may run before the BEAM has its scheduler back.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Where the next slice of a call runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slice {
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

/// The BEAM starts as many dirty CPU schedulers as there are processors. Asking for their number
/// is slow.
static SCHEDULERS: LazyLock<u64> =
    LazyLock::new(|| std::thread::available_parallelism().map_or(1, |n| n.get() as u64));

/// Calls that want a dirty scheduler now, in a slice or in the queue for one.
static DEMAND: AtomicU64 = AtomicU64::new(0);

/// Nanoseconds of the next dirty slice.
pub(crate) fn dirty_budget() -> u64 {
    let demand = DEMAND.load(Relaxed).max(1);
    (ROUND * *SCHEDULERS / demand).clamp(SHORTEST, LONGEST)
}

/// A call's place in the demand for dirty schedulers.
#[derive(Default)]
pub(crate) struct Demand(bool);

impl Demand {
    pub(crate) fn set(&mut self, wanted: bool) {
        if wanted != self.0 {
            self.0 = wanted;
            if wanted {
                DEMAND.fetch_add(1, Relaxed);
            } else {
                DEMAND.fetch_sub(1, Relaxed);
            }
        }
    }
}

impl Drop for Demand {
    fn drop(&mut self) {
        self.set(false);
    }
}
