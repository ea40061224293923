//! A memory's pages moved to another mapping.

use std::io;

use rustix::mm::{MremapFlags, mremap_fixed};

/// Moves `len` bytes from `from` to where `make` has made room for them, and gives what it made. Those at
/// `from` read as zeros, or as before.
///
/// # Safety
///
/// Both ranges begin a page and can be read and written to; what `make` makes is new and all zero, and
/// goes with its mapping when it is dropped.
pub(crate) unsafe fn moved<T>(
    from: *mut u8,
    len: usize,
    make: impl Fn() -> io::Result<(T, *mut u8)>,
) -> io::Result<T> {
    let (larger, to) = make()?;
    let flags = MremapFlags::MAYMOVE | MremapFlags::DONTUNMAP;
    // SAFETY: the caller's ranges. The pages move; the first range stays mapped, and reads as zeros.
    if unsafe { mremap_fixed(from.cast(), len, len, flags, to.cast()) }.is_ok() {
        return Ok(larger);
    }
    // The system is too old for that, or short of mappings. It may have unmapped a part of the
    // other range, which is therefore left alone.
    std::mem::forget(larger);
    let (larger, to) = make()?;
    // SAFETY: the caller's ranges, which do not overlap, because one of them is new.
    unsafe { std::ptr::copy_nonoverlapping(from, to, len) };
    Ok(larger)
}
