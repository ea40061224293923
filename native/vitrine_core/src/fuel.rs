//! What a plugin may execute, in units of fuel: about one for an instruction.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use wasmtime::Store;

use crate::state::HostState;

/// Fuel of a plugin whose module is compiled to count it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FuelLimits {
    /// For each call.
    pub call: u64,
    /// For the start function and the initialisers of an instance.
    pub initialisation: u64,
}

/// Fuel used by the last call.
#[derive(Default)]
pub(crate) struct Used(AtomicU64);

impl Used {
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Gives an instance what it may use from here on.
pub(crate) fn give(store: &mut Store<HostState>, amount: impl FnOnce(FuelLimits) -> u64) {
    if let Some(limits) = store.data().shared.fuel {
        // Fails only where nothing is counted.
        let _ = store.set_fuel(amount(limits));
    }
}

/// Notes what was used of what was given.
pub(crate) fn note(store: &Store<HostState>, amount: impl FnOnce(FuelLimits) -> u64) {
    let shared = &store.data().shared;
    let Some(limits) = shared.fuel else { return };
    if let Ok(left) = store.get_fuel() {
        let used = amount(limits).saturating_sub(left);
        shared.fuel_used.0.store(used, Relaxed);
        shared.counters.fuel(used);
    }
}
