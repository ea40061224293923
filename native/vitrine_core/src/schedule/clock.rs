//! Monotonic time as one number, so that a deadline fits an atomic.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// "No deadline".
pub(crate) const NEVER: u64 = u64::MAX;

/// Nanoseconds since the library was first used.
pub(crate) fn now() -> u64 {
    u64::try_from(START.elapsed().as_nanos()).unwrap_or(NEVER - 1)
}

/// The moment `span` after `now`; one too far off to represent is [`NEVER`].
pub(crate) fn after(now: u64, span: Option<Duration>) -> u64 {
    match span.map(|span| u64::try_from(span.as_nanos())) {
        Some(Ok(nanos)) => now.saturating_add(nanos),
        _ => NEVER,
    }
}
