//! Counts the fuel that the guests of a store use.
//!
//! Compiled code counts in a register, and writes the count down where it calls, returns, or is out of what it
//! was given. A trap, a timeout or a cancel in between loses what was not written down. Fuel is therefore given
//! a part at a time, so that at most one part is in question, and that one then counts as used.

use std::ops::{Deref, DerefMut};

use wasmtime::{Result, Store, Trap};
use wasmtime_wasi::I32Exit;

use crate::error::Stop;
use crate::host::HostView;
use crate::host::fuel::FuelLimits;
use crate::link::store::StoreData;
use crate::schedule::reaper::Reaped;

/// Of a limit, so much is given at once, within bounds: each time costs some tenths of a microsecond, in which a
/// guest uses some hundred units.
const PARTS: u64 = 1_000;
const LEAST: u64 = 20_000;
const MOST: u64 = 100_000;

fn part(limit: u64) -> u64 {
    (limit / PARTS).clamp(LEAST, MOST)
}

/// A store whose fuel is counted, if it counts any. What it was given and nobody has counted is counted when it
/// is dropped: a call may be given up wherever it is.
pub(crate) struct Metered {
    store: Reaped<Store<StoreData>>,
    given: Option<u64>,
}

impl Metered {
    pub(crate) fn new(store: Reaped<Store<StoreData>>) -> Metered {
        Metered { store, given: None }
    }

    /// Gives the guest what it may use from here on.
    pub(crate) fn give(&mut self, amount: impl FnOnce(FuelLimits) -> u64) {
        let Some(limits) = self.store.data().host().plugin.fuel else {
            return;
        };
        let amount = amount(limits);
        // They fail only where nothing is counted.
        let _ = self.store.fuel_async_yield_interval(Some(part(amount)));
        let _ = self.store.set_fuel(amount);
        self.given = Some(amount);
        self.store.data().host().control().meter(true);
    }

    /// Counts what was used of it, by a guest that ended so.
    pub(crate) fn note<T>(&mut self, ended: &Result<T>) {
        self.count(ended.as_ref().err().is_none_or(is_written_down));
    }

    fn count(&mut self, exact: bool) {
        let Some(given) = self.given.take() else {
            return;
        };
        let plugin = &self.store.data().host().plugin;
        plugin.control.meter(false);
        let Ok(left) = self.store.get_fuel() else {
            return;
        };
        let used = given.saturating_sub(left);
        let used = match exact {
            true => used,
            false => used.saturating_add(part(given)).min(given),
        };
        plugin.fuel_used.set(used);
        plugin.counters.fuel(used);
    }
}

/// Whether the guest was stopped where its count is written down: in a function of the host, by itself, or for
/// want of fuel.
fn is_written_down(error: &wasmtime::Error) -> bool {
    if let Some(trap) = error.downcast_ref::<Trap>() {
        return matches!(trap, Trap::OutOfFuel | Trap::UnreachableCodeReached);
    }
    match error.downcast_ref::<Stop>() {
        // A limit of memory also stops instructions, and time whatever runs.
        Some(Stop::Timeout | Stop::Cancelled | Stop::OutOfMemory(_)) => false,
        Some(_) => true,
        None => error.is::<I32Exit>(),
    }
}

impl Drop for Metered {
    fn drop(&mut self) {
        self.count(false);
    }
}

impl Deref for Metered {
    type Target = Store<StoreData>;

    fn deref(&self) -> &Store<StoreData> {
        &self.store
    }
}

impl DerefMut for Metered {
    fn deref_mut(&mut self) -> &mut Store<StoreData> {
        &mut self.store
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_question_is_a_thousandth_of_the_limit_within_bounds() {
        assert_eq!(part(0), 20_000);
        assert_eq!(part(50_000_000), 50_000);
        assert_eq!(part(u64::MAX), 100_000);
    }
}
