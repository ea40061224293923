//! A memory's pages moved to another mapping.

use std::io;
use std::ptr::null_mut;
use std::sync::LazyLock;

use rustix::mm::{MapFlags, MremapFlags, ProtFlags, mmap_anonymous, mremap_fixed, munmap};
use rustix::param::page_size;

/// Whether the system moves pages and leaves their addresses mapped. Linux does since 5.7, some sandboxes
/// do not.
static MOVES: LazyLock<bool> = LazyLock::new(moves);

/// Gives what `make` made, with the `len` bytes from `from` on where it has made room for them. Those at
/// `from` read as zeros after that, or as before. Pages are moved and not copied if they are `whole`: if
/// all of them belong to one mapping.
///
/// # Safety
///
/// Both ranges begin a page and can be read and written to; what `make` makes is new and all zero, and
/// goes with its mapping when it is dropped.
pub(crate) unsafe fn moved<T>(
    from: *mut u8,
    len: usize,
    whole: bool,
    make: impl Fn() -> io::Result<(T, *mut u8)>,
) -> io::Result<T> {
    let (mut larger, mut to) = make()?;
    if whole && len > 0 && *MOVES {
        // SAFETY: the caller's ranges.
        if unsafe { move_pages(from, len, to) }.is_ok() {
            return Ok(larger);
        }
        // The system is short of mappings. It may have unmapped the other range, where somebody else may
        // have mapped something by now, and which is therefore left alone.
        std::mem::forget(larger);
        (larger, to) = make()?;
    }
    // SAFETY: the caller's ranges, which do not overlap, because one of them is new. Nothing was moved.
    unsafe { std::ptr::copy_nonoverlapping(from, to, len) };
    Ok(larger)
}

/// The pages move; the first range stays mapped, and reads as zeros.
///
/// # Safety
///
/// Those of [`moved`]. If it fails, the other range may not be mapped any more.
unsafe fn move_pages(from: *mut u8, len: usize, to: *mut u8) -> rustix::io::Result<()> {
    let flags = MremapFlags::MAYMOVE | MremapFlags::DONTUNMAP;
    // SAFETY: the caller's.
    unsafe { mremap_fixed(from.cast(), len, len, flags, to.cast()) }.map(drop)
}

fn moves() -> bool {
    let (page, access) = (page_size(), ProtFlags::READ | ProtFlags::WRITE);
    // SAFETY: a new mapping, at an address that the system chooses.
    let Ok(from) = (unsafe { mmap_anonymous(null_mut(), 2 * page, access, MapFlags::PRIVATE) })
    else {
        return false;
    };
    let from = from.cast::<u8>();
    let to = from.wrapping_add(page);
    // SAFETY: the first page of the mapping goes to its second, which is not used if that fails; the
    // mapping is unmapped when nobody has a reference to it.
    unsafe {
        from.write_volatile(1);
        let moved = move_pages(from, page, to).is_ok();
        let as_expected = moved && from.read_volatile() == 0 && to.read_volatile() == 1;
        munmap(from.cast(), 2 * page).is_ok() && as_expected
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const LEN: usize = 1 << 20;

    struct Mapping<'a>(*mut u8, &'a Cell<i32>);

    impl<'a> Mapping<'a> {
        /// Counted in `count` as long as it is there.
        fn new(count: &'a Cell<i32>) -> Mapping<'a> {
            let access = ProtFlags::READ | ProtFlags::WRITE;
            // SAFETY: a new mapping.
            let base = unsafe { mmap_anonymous(null_mut(), LEN, access, MapFlags::PRIVATE) };
            count.set(count.get() + 1);
            Mapping(base.unwrap().cast(), count)
        }

        fn bytes(&mut self) -> &mut [u8] {
            // SAFETY: mapped in this length, and borrowed with the mapping.
            unsafe { std::slice::from_raw_parts_mut(self.0, LEN) }
        }
    }

    impl Drop for Mapping<'_> {
        fn drop(&mut self) {
            self.1.set(self.1.get() - 1);
            // SAFETY: mapped by `new`, and not used any more.
            unsafe { munmap(self.0.cast(), LEN) }.unwrap();
        }
    }

    /// Moves bytes from somewhere in a mapping to another: what is at both then, and how many were made.
    fn after(start: usize, len: usize, whole: bool) -> (Vec<u8>, Vec<u8>, i32) {
        let (first, made) = (Cell::new(0), Cell::new(0));
        let mut from = Mapping::new(&first);
        from.bytes().fill(7);
        let make = || {
            let mapping = Mapping::new(&made);
            let to = mapping.0;
            Ok((mapping, to))
        };
        // SAFETY: both are mapped in that length; what begins no page is copied.
        let mut moved = unsafe { moved(from.0.add(start), len, whole, make) }.unwrap();
        assert!(moved.bytes()[..len].iter().all(|b| *b == 7));
        assert!(moved.bytes()[len..].iter().all(|b| *b == 0));
        (from.bytes().to_vec(), moved.bytes().to_vec(), made.get())
    }

    #[test]
    fn the_system_moves_pages() {
        let (from, _, made) = after(0, LEN / 2, true);
        assert_eq!(made, 1);
        match *MOVES {
            true => assert!(from[..LEN / 2].iter().all(|b| *b == 0)),
            false => assert!(from[..LEN / 2].iter().all(|b| *b == 7)),
        }
        assert!(from[LEN / 2..].iter().all(|b| *b == 7));
    }

    #[test]
    fn what_is_not_whole_is_copied_and_nothing_is_left_over() {
        for (len, whole) in [(LEN / 2, false), (0, true), (0, false)] {
            let (from, _, made) = after(0, len, whole);
            assert_eq!(made, 1, "{len} {whole}");
            assert!(from.iter().all(|b| *b == 7));
        }
    }

    #[test]
    fn what_the_system_cannot_move_is_copied_to_a_place_of_its_own() {
        // Nothing is moved that begins no page.
        let (from, _, made) = after(1, LEN / 2, true);
        assert_eq!(made, if *MOVES { 2 } else { 1 });
        assert!(from.iter().all(|b| *b == 7));
    }
}
