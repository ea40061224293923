//! Moves the pages of a memory to another mapping, or copies them where the system cannot move them.

use std::io;
use std::ptr::null_mut;
use std::sync::LazyLock;

use rustix::mm::{MapFlags, MremapFlags, ProtFlags, mmap_anonymous, mremap_fixed, munmap};
use rustix::param::page_size;

/// Whether the system moves pages and leaves their addresses mapped. Linux does so since 5.7, but some sandboxes do
/// not.
static MOVES: LazyLock<bool> = LazyLock::new(moves);

/// Moves the `len` bytes from `from` on to a new mapping, which `make` makes, and returns that. Afterwards the bytes
/// at `from` read as zeros, or as before. Pages are moved only if the range is `whole`, that is, if all of it belongs
/// to one mapping. Otherwise they are copied.
///
/// # Safety
///
/// `from` begins a page, and `len` bytes from there on can be read and written to. The mapping that `make` makes begins
/// a page, has as many readable and writable bytes, is new and all zero, and is unmapped when it is dropped.
pub(crate) unsafe fn move_or_copy<T>(
    from: *mut u8,
    len: usize,
    whole: bool,
    make: impl Fn() -> io::Result<(T, *mut u8)>,
) -> io::Result<T> {
    let (mut larger, mut to) = make()?;
    if whole && len > 0 && *MOVES {
        // SAFETY: both ranges are as the caller promises.
        if unsafe { move_pages(from, len, to) }.is_ok() {
            return Ok(larger);
        }
        // The system is short of mappings. It may have unmapped the range at `to`, and another thread may have
        // mapped something there since. So that range is left alone.
        std::mem::forget(larger);
        (larger, to) = make()?;
    }
    // SAFETY: both ranges are as the caller promises. They do not overlap, because one of them is new, and nothing
    // was moved out of the first.
    unsafe { std::ptr::copy_nonoverlapping(from, to, len) };
    Ok(larger)
}

/// Moves pages. The first range stays mapped and reads as zeros.
///
/// # Safety
///
/// The requirements of [`move_or_copy`]. If this fails, the other range may not be mapped any more.
unsafe fn move_pages(from: *mut u8, len: usize, to: *mut u8) -> rustix::io::Result<()> {
    let flags = MremapFlags::MAYMOVE | MremapFlags::DONTUNMAP;
    // SAFETY: both ranges are as the caller promises.
    unsafe { mremap_fixed(from.cast(), len, len, flags, to.cast()) }.map(drop)
}

/// Tries whether the system moves pages.
fn moves() -> bool {
    let (page, access) = (page_size(), ProtFlags::READ | ProtFlags::WRITE);
    // SAFETY: the mapping is new, at an address that the system chooses.
    let Ok(from) = (unsafe { mmap_anonymous(null_mut(), 2 * page, access, MapFlags::PRIVATE) })
    else {
        return false;
    };
    let from = from.cast::<u8>();
    let to = from.wrapping_add(page);
    // SAFETY: the first page of the mapping goes to its second, which is not used if that fails. The mapping is
    // unmapped when nobody has a reference to it.
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
        /// A mapping that `count` counts as long as it exists.
        fn new(count: &'a Cell<i32>) -> Mapping<'a> {
            let access = ProtFlags::READ | ProtFlags::WRITE;
            // SAFETY: the mapping is new.
            let base = unsafe { mmap_anonymous(null_mut(), LEN, access, MapFlags::PRIVATE) };
            count.set(count.get() + 1);
            Mapping(base.unwrap().cast(), count)
        }

        fn bytes(&mut self) -> &mut [u8] {
            // SAFETY: the bytes are mapped in this length, and borrowed with the mapping.
            unsafe { std::slice::from_raw_parts_mut(self.0, LEN) }
        }
    }

    impl Drop for Mapping<'_> {
        fn drop(&mut self) {
            self.1.set(self.1.get() - 1);
            // SAFETY: `new` mapped it, and nobody uses it any more.
            unsafe { munmap(self.0.cast(), LEN) }.unwrap();
        }
    }

    /// Moves bytes from somewhere in a mapping to another one. Returns the contents of both, and how many mappings
    /// were made.
    fn after(start: usize, len: usize, whole: bool) -> (Vec<u8>, Vec<u8>, i32) {
        let (first, made) = (Cell::new(0), Cell::new(0));
        let mut from = Mapping::new(&first);
        from.bytes().fill(7);
        let make = || {
            let mapping = Mapping::new(&made);
            let to = mapping.0;
            Ok((mapping, to))
        };
        // SAFETY: both are mapped in that length. A range that does not begin a page is copied.
        let mut moved = unsafe { move_or_copy(from.0.add(start), len, whole, make) }.unwrap();
        assert!(moved.bytes()[..len].iter().all(|b| *b == 7));
        assert!(moved.bytes()[len..].iter().all(|b| *b == 0));
        (from.bytes().to_vec(), moved.bytes().to_vec(), made.get())
    }

    #[test]
    fn pages_of_one_mapping_are_moved_where_the_system_can() {
        let (from, _, made) = after(0, LEN / 2, true);
        assert_eq!(made, 1);
        match *MOVES {
            true => assert!(from[..LEN / 2].iter().all(|b| *b == 0)),
            false => assert!(from[..LEN / 2].iter().all(|b| *b == 7)),
        }
        assert!(from[LEN / 2..].iter().all(|b| *b == 7));
    }

    #[test]
    fn pages_of_several_mappings_are_copied_and_no_mapping_is_left_over() {
        for (len, whole) in [(LEN / 2, false), (0, true), (0, false)] {
            let (from, _, made) = after(0, len, whole);
            assert_eq!(made, 1, "{len} {whole}");
            assert!(from.iter().all(|b| *b == 7));
        }
    }

    #[test]
    fn pages_that_the_system_fails_to_move_are_copied_to_another_new_mapping() {
        // The system moves no range that does not begin a page.
        let (from, _, made) = after(1, LEN / 2, true);
        assert_eq!(made, if *MOVES { 2 } else { 1 });
        assert!(from.iter().all(|b| *b == 7));
    }
}
