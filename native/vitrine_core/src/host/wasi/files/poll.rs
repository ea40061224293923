//! Waiting for files, which wasmtime-wasi does by reading from each, all of them at once.

use wasmtime::Result;

use super::super::errno;
use super::{FIRST, Guest, MAX_OPEN, forward};

/// Bytes of a subscription, and where in it is what it is for and of which descriptor.
const SIZE: i32 = 48;
const TAG: i32 = 8;
const DESCRIPTOR: i32 = 16;
const READABLE: u32 = 1;

/// Subscriptions at the same time.
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
        // There is not that much to be had of them.
        if files > MAX_OPEN {
            return Ok(errno::INVAL);
        }
    }
    forward!(guest, poll_oneoff, subscriptions, events, count, ready).await
}
