//! What a plugin may execute, in units of fuel: about one for an instruction.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

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

    pub(crate) fn set(&self, used: u64) {
        self.0.store(used, Relaxed);
    }
}
