//! Gives memory back to the system that nobody needs any more.
//!
//! Linux frees the pages of what is unmapped while all who map or unmap something wait: a tenth of a second for
//! some hundred megabytes. So what is large is emptied a little at a time, between which others have their turn.

use std::io;

use rustix::mm::{Advice, madvise};
use rustix::param::page_size;

/// What is given back at a time.
const PIECE: usize = 512 << 10;

/// Gives back `len` bytes from `base` on.
///
/// # Safety
///
/// They are whole pages of private mappings, and nobody needs their values: what is anonymous becomes zero,
/// the rest what it was mapped as.
pub(crate) unsafe fn release(base: *mut u8, len: usize) -> io::Result<()> {
    for at in (0..len).step_by(PIECE) {
        // SAFETY: a part of the caller's range.
        unsafe {
            let piece = PIECE.min(len - at);
            madvise(base.add(at).cast(), piece, Advice::LinuxDontNeed)?;
        }
    }
    Ok(())
}

/// Gives the memory behind these bytes, whose values nobody needs, back to the system, as far as it is of
/// whole pages.
pub(crate) fn give_back(bytes: &mut [u8]) {
    let page = page_size();
    let before = bytes.as_ptr().align_offset(page).min(bytes.len());
    let whole = &mut bytes[before..];
    let len = whole.len() / page * page;
    // SAFETY: the bytes are borrowed for this alone, and are part of a private mapping: they stay readable
    // and writable.
    let _ = unsafe { release(whole.as_mut_ptr(), len) };
}

#[cfg(test)]
mod tests {
    use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};

    use super::*;

    #[test]
    fn all_of_it_is_zero_and_nothing_else() {
        let (access, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE);
        let (len, page) = (3 * PIECE, rustix::param::page_size());
        // SAFETY: a new mapping, which is read and written to in its length, and unmapped.
        unsafe {
            let base = mmap_anonymous(std::ptr::null_mut(), len, access, flags).unwrap();
            let bytes = std::slice::from_raw_parts_mut(base.cast::<u8>(), len);
            bytes.fill(7);
            release(bytes.as_mut_ptr().add(page), len - 2 * page).unwrap();
            assert!(bytes[page..len - page].iter().all(|b| *b == 0));
            let rest = bytes[..page].iter().chain(&bytes[len - page..]);
            assert!(rest.copied().all(|b| b == 7));
            munmap(base, len).unwrap();
        }
    }

    #[test]
    fn of_bytes_anywhere_whole_pages_are_given_back_and_nothing_else() {
        let (access, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE);
        let page = page_size();
        // SAFETY: a new mapping.
        let base =
            unsafe { mmap_anonymous(std::ptr::null_mut(), 4 * page, access, flags) }.unwrap();
        // SAFETY: it is read and written to in its length, and unmapped after that.
        let bytes = unsafe { std::slice::from_raw_parts_mut(base.cast::<u8>(), 4 * page) };
        for (given, zero) in [
            (0..4 * page, 0..4 * page),
            (page..3 * page, page..3 * page),
            (1..4 * page - 1, page..3 * page),
            (page..2 * page + 1, page..2 * page),
            (page - 1..2 * page, page..2 * page),
            (page + 1..2 * page + 1, 0..0),
            (page..2 * page - 1, 0..0),
            (5..7, 0..0),
            (page..page, 0..0),
        ] {
            bytes.fill(7);
            give_back(&mut bytes[given.clone()]);
            let cleared = bytes.iter().enumerate().filter(|(_, byte)| **byte == 0);
            assert!(cleared.map(|(at, _)| at).eq(zero), "{given:?}");
        }
        // SAFETY: see above.
        unsafe { munmap(base, 4 * page) }.unwrap();
    }
}
