//! Counts the fuel that the guests of a store use.
//!
//! Compiled code counts fuel in a register. It writes the count to memory where it calls, returns, or runs out of the
//! fuel that it was given. A trap, a timeout or a cancel in between loses what was not written. Therefore fuel is given
//! in parts: at most one part is uncertain, and that part counts as used.

use std::ops::{Deref, DerefMut};

use wasmtime::{Result, Store, Trap};
use wasmtime_wasi::I32Exit;

use crate::error::Stop;
use crate::host::HostView;
use crate::host::fuel::FuelLimits;
use crate::link::store::StoreData;
use crate::schedule::reaper::Reaped;

/// A part is this fraction of the limit, within bounds. Giving a part costs some tenths of a microsecond, in which a
/// guest uses some hundred units of fuel.
const PARTS: u64 = 1_000;
const LEAST: u64 = 20_000;
const MOST: u64 = 100_000;

fn part(limit: u64) -> u64 {
    (limit / PARTS).clamp(LEAST, MOST)
}

/// A store whose fuel is counted, if the plugin has a fuel limit. Dropping it counts the fuel that was given and not yet
/// counted, because a call can be dropped at any point.
pub(crate) struct Metered {
    store: Reaped<Store<StoreData>>,
    given: Option<u64>,
}

impl Metered {
    pub(crate) fn new(store: Reaped<Store<StoreData>>) -> Metered {
        Metered { store, given: None }
    }

    /// Gives the guest the fuel that it may use from here on.
    pub(crate) fn give(&mut self, amount: impl FnOnce(FuelLimits) -> u64) {
        let Some(limits) = self.store.data().host().plugin.fuel else {
            return;
        };
        let amount = amount(limits);
        // Both fail only on an engine that does not count fuel.
        let _ = self.store.fuel_async_yield_interval(Some(part(amount)));
        let _ = self.store.set_fuel(amount);
        self.given = Some(amount);
        self.store.data().host().control().meter(true);
    }

    /// Counts the fuel that was used by a guest that ended in this way.
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

/// Whether the guest was stopped where its count is written to memory: in a function of the host, by itself, or because
/// it ran out of fuel.
fn is_written_down(error: &wasmtime::Error) -> bool {
    if let Some(trap) = error.downcast_ref::<Trap>() {
        return matches!(trap, Trap::OutOfFuel | Trap::UnreachableCodeReached);
    }
    match error.downcast_ref::<Stop>() {
        // A memory limit also stops instructions, and a timeout or a cancel stops whatever runs.
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
    fn a_part_of_fuel_is_a_thousandth_of_the_limit_within_bounds() {
        assert_eq!(part(0), 20_000);
        assert_eq!(part(50_000_000), 50_000);
        assert_eq!(part(u64::MAX), 100_000);
    }
}
