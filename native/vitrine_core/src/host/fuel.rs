//! Fuel: how much a plugin may execute. One unit is about one instruction.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The fuel of a plugin whose module is compiled to count it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FuelLimits {
    /// The fuel of each call.
    pub call: u64,
    /// The fuel of the start function and the initialisers of an instance.
    pub initialisation: u64,
}

/// The fuel that the last call used.
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
