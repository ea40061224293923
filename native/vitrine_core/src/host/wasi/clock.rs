//! The monotonic clock of all instances. They share one clock, because an instance that begins with the memory of another must
//! not see it go back.

use std::sync::LazyLock;

use wasmtime_wasi::HostMonotonicClock;
use wasmtime_wasi::clocks::MonotonicClock;

/// The clock starts when it is first read.
static CLOCK: LazyLock<MonotonicClock> = LazyLock::new(MonotonicClock::new);

pub(super) struct Monotonic;

impl HostMonotonicClock for Monotonic {
    fn resolution(&self) -> u64 {
        CLOCK.resolution()
    }

    fn now(&self) -> u64 {
        CLOCK.now()
    }
}
