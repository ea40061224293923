//! Counters of what a plugin has done and uses. They are updated in passing while a call runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::error::Reason;

/// A plugin's counters at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stats {
    /// Calls that were asked for, including those that were refused.
    pub calls: u64,
    /// Calls that failed, by reason.
    pub errors: Vec<(Reason, u64)>,
    /// Calls that were given up before their end.
    pub abandoned: u64,
    /// Instances that were made.
    pub instances: u64,
    /// Slices of guest code.
    pub slices: u64,
    /// The time that guest code ran. It is exact to about half a millisecond for each slice, and right on average.
    pub in_guest: Duration,
    /// Host functions that the guest called.
    pub host_calls: u64,
    /// The time that the guest was parked for the embedder: host functions, HTTP, logging.
    pub in_host: Duration,
    /// The fuel that was used.
    pub fuel: u64,
    /// Bytes of linear memory that instances have now, the kernel's included.
    pub memory: u64,
    /// The most bytes of linear memory that instances ever had.
    pub memory_peak: u64,
    /// Bytes of variables, as they count against their limit.
    pub vars: u64,
}

#[derive(Default)]
pub(crate) struct Counters {
    calls: AtomicU64,
    errors: [AtomicU64; Reason::ALL.len()],
    abandoned: AtomicU64,
    instances: AtomicU64,
    slices: AtomicU64,
    in_guest: AtomicU64,
    host_calls: AtomicU64,
    in_host: AtomicU64,
    fuel: AtomicU64,
    pub(crate) memory: Arc<MemoryGauge>,
}

/// Adds to a counter that only the call that has the plugin changes. This is cheaper than an atomic addition.
fn add_alone(counter: &AtomicU64, amount: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(amount), Relaxed);
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

impl Counters {
    pub(crate) fn call(&self) {
        self.calls.fetch_add(1, Relaxed);
    }

    pub(crate) fn error(&self, reason: Reason) {
        if let Some(counter) = self.errors.get(reason as usize) {
            counter.fetch_add(1, Relaxed);
        }
    }

    pub(crate) fn abandoned(&self) {
        self.abandoned.fetch_add(1, Relaxed);
    }

    pub(crate) fn instance(&self) {
        add_alone(&self.instances, 1);
    }

    pub(crate) fn slice(&self, took: Duration) {
        add_alone(&self.slices, 1);
        add_alone(&self.in_guest, nanos(took));
    }

    pub(crate) fn host_call(&self) {
        add_alone(&self.host_calls, 1);
    }

    pub(crate) fn in_host(&self, nanos: u64) {
        add_alone(&self.in_host, nanos);
    }

    pub(crate) fn fuel(&self, used: u64) {
        // A call that was given up may be counted while the next one runs.
        self.fuel.fetch_add(used, Relaxed);
    }

    /// The values of all counters, with `vars` bytes of variables.
    pub(crate) fn read(&self, vars: u64) -> Stats {
        let errors = Reason::ALL.iter().zip(&self.errors);
        Stats {
            calls: self.calls.load(Relaxed),
            errors: errors
                .map(|(reason, count)| (*reason, count.load(Relaxed)))
                .filter(|(_, count)| *count > 0)
                .collect(),
            abandoned: self.abandoned.load(Relaxed),
            instances: self.instances.load(Relaxed),
            slices: self.slices.load(Relaxed),
            in_guest: Duration::from_nanos(self.in_guest.load(Relaxed)),
            host_calls: self.host_calls.load(Relaxed),
            in_host: Duration::from_nanos(self.in_host.load(Relaxed)),
            fuel: self.fuel.load(Relaxed),
            memory: self.memory.now.load(Relaxed),
            memory_peak: self.memory.peak.load(Relaxed),
            vars,
        }
    }
}

/// The memory of a plugin's instances, including those that wait to be dropped.
#[derive(Default)]
pub(crate) struct MemoryGauge {
    now: AtomicU64,
    peak: AtomicU64,
}

/// One store's share of the gauge. It is subtracted when the store is dropped.
pub(crate) struct MemoryShare {
    gauge: Arc<MemoryGauge>,
    bytes: u64,
}

impl MemoryShare {
    pub(crate) fn new(gauge: Arc<MemoryGauge>) -> Self {
        MemoryShare { gauge, bytes: 0 }
    }

    pub(crate) fn grow(&mut self, bytes: u64) {
        self.bytes += bytes;
        let now = self.gauge.now.fetch_add(bytes, Relaxed) + bytes;
        self.gauge.peak.fetch_max(now, Relaxed);
    }
}

impl Drop for MemoryShare {
    fn drop(&mut self) {
        self.gauge.now.fetch_sub(self.bytes, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_counted_by_their_reason() {
        let counters = Counters::default();
        for (times, reason) in Reason::ALL.into_iter().enumerate() {
            (0..times).for_each(|_| counters.error(reason));
        }
        let errors = counters.read(0).errors;
        let expected = Reason::ALL.into_iter().zip(0..).skip(1);
        assert_eq!(errors, expected.collect::<Vec<_>>());
    }

    #[test]
    fn memory_of_a_dropped_store_is_subtracted_and_the_peak_stays() {
        let gauge = Arc::<MemoryGauge>::default();
        let mut one = MemoryShare::new(gauge.clone());
        let mut other = MemoryShare::new(gauge.clone());
        one.grow(10);
        other.grow(5);
        drop(one);
        other.grow(1);
        assert_eq!((gauge.now.load(Relaxed), gauge.peak.load(Relaxed)), (6, 15));
        drop(other);
        assert_eq!(gauge.now.load(Relaxed), 0);
    }
}
