//! Decommits pages: their memory goes back to the system, their addresses stay mapped.
//!
//! While Linux frees the pages of a mapping, every other thread that maps or unmaps memory waits: a tenth of a
//! second for some hundred megabytes. So large ranges are decommitted in pieces, and others have their turn between
//! two pieces.

use std::io;

use rustix::mm::{Advice, madvise};
use rustix::param::page_size;

/// The number of bytes that are decommitted at a time.
const PIECE: usize = 512 << 10;

/// Decommits `len` bytes from `base` on.
///
/// # Safety
///
/// The range is of whole pages of private mappings, and nobody needs its contents: anonymous pages read as zeros
/// after this, pages of a file as that file.
pub(crate) unsafe fn decommit(base: *mut u8, len: usize) -> io::Result<()> {
    for at in (0..len).step_by(PIECE) {
        // SAFETY: the piece is a part of the caller's range.
        unsafe {
            let piece = PIECE.min(len - at);
            madvise(base.add(at).cast(), piece, Advice::LinuxDontNeed)?;
        }
    }
    Ok(())
}

/// Decommits the whole pages among these bytes of a linear memory, whose contents nobody needs. They read as zeros
/// after this, or as they did before.
#[inline]
pub fn decommit_bytes(bytes: &mut [u8]) {
    let page = page_size();
    let before = bytes.as_ptr().align_offset(page).min(bytes.len());
    let whole = &mut bytes[before..];
    let len = whole.len() / page * page;
    // SAFETY: the bytes are borrowed for this alone, and they belong to a private mapping: they stay readable and
    // writable. If the system refuses, the pages stay as they are.
    let _ = unsafe { decommit(whole.as_mut_ptr(), len) };
}

#[cfg(test)]
mod tests {
    use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};

    use super::*;

    #[test]
    fn a_range_of_several_pieces_reads_as_zeros_and_nothing_around_it_changes() {
        let (access, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE);
        let (len, page) = (3 * PIECE, page_size());
        // SAFETY: the mapping is new. It is read and written to within its length, and then unmapped.
        unsafe {
            let base = mmap_anonymous(std::ptr::null_mut(), len, access, flags).unwrap();
            let bytes = std::slice::from_raw_parts_mut(base.cast::<u8>(), len);
            bytes.fill(7);
            decommit(bytes.as_mut_ptr().add(page), len - 2 * page).unwrap();
            assert!(bytes[page..len - page].iter().all(|b| *b == 0));
            let rest = bytes[..page].iter().chain(&bytes[len - page..]);
            assert!(rest.copied().all(|b| b == 7));
            munmap(base, len).unwrap();
        }
    }

    #[test]
    fn only_whole_pages_among_bytes_are_decommitted() {
        let (access, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE);
        let page = page_size();
        // SAFETY: the mapping is new.
        let base =
            unsafe { mmap_anonymous(std::ptr::null_mut(), 4 * page, access, flags) }.unwrap();
        // SAFETY: the mapping is read and written to within its length, and unmapped after that.
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
            decommit_bytes(&mut bytes[given.clone()]);
            let cleared = bytes.iter().enumerate().filter(|(_, byte)| **byte == 0);
            assert!(cleared.map(|(at, _)| at).eq(zero), "{given:?}");
        }
        // SAFETY: nobody has a reference to the mapping any more.
        unsafe { munmap(base, 4 * page) }.unwrap();
    }
}
