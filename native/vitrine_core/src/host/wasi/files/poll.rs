//! Waiting for files. wasmtime-wasi waits by reading from all of them at once, so their number is bounded here.

use wasmtime::Result;

use super::super::errno;
use super::{FIRST, Guest, MAX_OPEN, forward};

/// The bytes of a subscription, and the offsets of its tag and its descriptor.
const SIZE: i32 = 48;
const TAG: i32 = 8;
const DESCRIPTOR: i32 = 16;
const READABLE: u32 = 1;

/// The most subscriptions at the same time.
const MOST: u32 = 4096;

pub(super) async fn poll_oneoff(
    guest: Guest<'_>,
    subscriptions: i32,
    events: i32,
    count: i32,
    ready: i32,
) -> Result<i32> {
    if count.cast_unsigned() > MOST {
        return Ok(errno::INVAL);
    }
    let mut files = 0;
    for index in 0..count.cast_unsigned() {
        let at = subscriptions.wrapping_add(SIZE.wrapping_mul(index.cast_signed()));
        let tag = guest.number(at.wrapping_add(TAG));
        let Some(fd) = guest.number(at.wrapping_add(DESCRIPTOR)) else {
            break;
        };
        files += usize::from(tag.is_some_and(|tag| tag & 0xFF == READABLE) && fd >= FIRST);
        // An instance cannot have so many files open.
        if files > MAX_OPEN {
            return Ok(errno::INVAL);
        }
    }
    forward!(guest, poll_oneoff, subscriptions, events, count, ready).await
}
