//! The monotonic clock of all instances. It is one for all of them: in an instance that begins with the
//! memory of another it must not go back.

use std::sync::LazyLock;

use wasmtime_wasi::HostMonotonicClock;
use wasmtime_wasi::clocks::MonotonicClock;

/// It starts when it is first looked at.
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
