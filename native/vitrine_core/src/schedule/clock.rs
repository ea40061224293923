//! Monotonic time as a single number, so that a deadline fits into an atomic.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// A moment that never comes: no deadline.
pub(crate) const NEVER: u64 = u64::MAX;

/// Nanoseconds since the library was first used.
pub(crate) fn now() -> u64 {
    u64::try_from(START.elapsed().as_nanos()).unwrap_or(NEVER - 1)
}

/// The moment `span` after `now`. A moment too far off to be represented is [`NEVER`].
pub(crate) fn after(now: u64, span: Option<Duration>) -> u64 {
    match span.map(|span| u64::try_from(span.as_nanos())) {
        Some(Ok(nanos)) => now.saturating_add(nanos),
        _ => NEVER,
    }
}
