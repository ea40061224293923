//! Makes memory zero again without giving it back to the system, which says what pages there are: most
//! guests write to a few of a megabyte.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::ptr::null_mut;
use std::sync::LazyLock;

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};
use rustix::param::page_size;

/// More memory than this is not looked through, and more pages are not zeroed: to give them back is
/// cheaper, and so is to have them for somebody else.
const MOST_BYTES: usize = 32 << 20;
const MOST_PAGES: usize = 64;

/// In the entry of a page: it is in memory, or was put elsewhere.
const THERE: u64 = 0b11 << 62;
const ENTRY: usize = size_of::<u64>();
/// Entries that are read at a time.
const CHUNK: usize = 1024;

/// A word for each page of this process. `None` where the system does not tell. It is of this process alone:
/// a child by `fork` would be told of its parent, but has no reaper that would drop a memory.
static PAGES: LazyLock<Option<File>> = LazyLock::new(|| {
    let pages = File::open("/proc/self/pagemap").ok()?;
    tells(&pages).then_some(pages)
});

/// Zeroes `len` bytes from `base` on: how many pages they have in memory. `None` if that was not done,
/// because it cannot be, or would take long.
///
/// # Safety
///
/// `base` begins a page of a private anonymous mapping, whose first `len` bytes can be written to, and to
/// which nobody else has a reference.
pub(crate) unsafe fn wipe(base: *mut u8, len: usize) -> Option<usize> {
    // SAFETY: the caller's promise.
    unsafe { wipe_as_told(PAGES.as_ref()?, base, len) }
}

/// # Safety
///
/// That of [`wipe`].
unsafe fn wipe_as_told(pages: &File, base: *mut u8, len: usize) -> Option<usize> {
    if len > MOST_BYTES {
        return None;
    }
    if len > 0 {
        // SAFETY: a byte of the caller's range.
        unsafe { base.write_volatile(0) };
    }
    let mut there = 0;
    let mut entries = [0; CHUNK * ENTRY];
    let (size, count) = (page_size(), len.div_ceil(page_size()));
    for first in (0..count).step_by(CHUNK) {
        let entries = &mut entries[..CHUNK.min(count - first) * ENTRY];
        let at = (base as usize / size + first) * ENTRY;
        pages.read_exact_at(entries, at as u64).ok()?;
        for (page, entry) in (first..).zip(entries.chunks_exact(ENTRY)) {
            if is_there(entry) {
                there += 1;
                if there > MOST_PAGES {
                    return None;
                }
                // SAFETY: a page of the caller's range: the mapping has whole ones.
                unsafe { base.add(page * size).write_bytes(0, size) };
            } else if page == 0 {
                // It was written to just now: the file does not tell any more.
                return None;
            }
        }
    }
    Some(there)
}

fn is_there(entry: &[u8]) -> bool {
    let entry = <[u8; ENTRY]>::try_from(entry).map_or(u64::MAX, u64::from_ne_bytes);
    entry & THERE != 0
}

/// Whether the file tells a page that was written to from one that was not: some sandboxes have one that
/// is empty, or all zero.
fn tells(pages: &File) -> bool {
    let size = page_size();
    let (access, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE);
    // SAFETY: a new mapping, at an address that the system chooses.
    let Ok(base) = (unsafe { mmap_anonymous(null_mut(), 2 * size, access, flags) }) else {
        return false;
    };
    let mut entries = [0; 2 * ENTRY];
    // SAFETY: the mapping was made above; nobody has a reference to it when it is unmapped.
    let (read, unmapped) = unsafe {
        // Or both pages may be there for one. A system without huge ones says no.
        let _ = madvise(base, 2 * size, Advice::LinuxNoHugepage);
        base.cast::<u8>().write_volatile(1);
        let at = base as usize / size * ENTRY;
        let read = pages.read_exact_at(&mut entries, at as u64);
        (read, munmap(base, 2 * size))
    };
    let (first, second) = entries.split_at(ENTRY);
    read.is_ok() && unmapped.is_ok() && is_there(first) && !is_there(second)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Mapping(*mut u8, usize);

    impl Mapping {
        fn new(pages: usize) -> Mapping {
            let len = pages * page_size();
            let (access, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE);
            // SAFETY: a new mapping.
            let base = unsafe { mmap_anonymous(null_mut(), len, access, flags) };
            // Otherwise 512 pages may be there for one.
            let base = base.unwrap();
            // SAFETY: of the mapping.
            unsafe { madvise(base, len, Advice::LinuxNoHugepage) }.ok();
            Mapping(base.cast(), len)
        }

        fn bytes(&mut self) -> &mut [u8] {
            // SAFETY: mapped in this length, and borrowed with the mapping.
            unsafe { std::slice::from_raw_parts_mut(self.0, self.1) }
        }

        fn wipe(&mut self) -> Option<usize> {
            // SAFETY: a mapping as `wipe` wants it.
            unsafe { wipe(self.0, self.1) }
        }
    }

    impl Drop for Mapping {
        fn drop(&mut self) {
            // SAFETY: mapped by `new`.
            unsafe { munmap(self.0.cast(), self.1) }.unwrap();
        }
    }

    #[test]
    fn what_was_written_is_zero_again_and_still_there() {
        let mut mapping = Mapping::new(1900);
        for written in [
            vec![],
            vec![0],
            vec![1899],
            vec![0, 511, 512, 1023, 1024, 1899],
        ] {
            for page in &written {
                mapping.bytes()[page * page_size() + 77] = 1;
            }
            let before = mapping.wipe().unwrap();
            assert!(before >= written.len(), "{written:?}: {before}");
            assert!(
                mapping.bytes()[1899 * page_size()..]
                    .iter()
                    .all(|b| *b == 0)
            );
            for page in &written {
                let at = page * page_size();
                assert!(
                    mapping.bytes()[at..at + page_size()]
                        .iter()
                        .all(|b| *b == 0)
                );
            }
        }
        // The six that were written to, and no others that were only read.
        assert_eq!(mapping.wipe(), Some(6));
        assert!(mapping.bytes().iter().all(|b| *b == 0));
    }

    #[test]
    fn much_is_left_to_the_system() {
        let mut mapping = Mapping::new(MOST_PAGES + 1);
        mapping.bytes()[..MOST_PAGES * page_size()].fill(1);
        assert_eq!(mapping.wipe(), Some(MOST_PAGES));
        mapping.bytes().fill(1);
        assert_eq!(mapping.wipe(), None);
        assert_eq!(Mapping::new(MOST_BYTES / page_size() + 1).wipe(), None);
    }

    #[test]
    fn a_file_that_does_not_tell_is_not_believed() {
        assert!(tells(&File::open("/proc/self/pagemap").unwrap()));
        assert!(!tells(&File::open("/dev/zero").unwrap()));
        assert!(!tells(&File::open("/dev/null").unwrap()));
    }

    #[test]
    fn a_file_that_tells_no_more_is_not_believed_either() {
        let mut mapping = Mapping::new(4);
        mapping.bytes().fill(1);
        for file in ["/dev/zero", "/dev/null"] {
            let pages = File::open(file).unwrap();
            // SAFETY: a mapping as it is wanted.
            let wiped = unsafe { wipe_as_told(&pages, mapping.0, mapping.1) };
            assert_eq!(wiped, None, "{file}");
        }
    }

    #[test]
    fn a_page_that_was_put_elsewhere_is_one() {
        for (entry, there) in [
            (1_u64 << 63, true),
            // In swap, or on its way to another place.
            (1 << 62, true),
            (u64::MAX, true),
            (u64::MAX >> 2, false),
            (0, false),
        ] {
            assert_eq!(is_there(&entry.to_ne_bytes()), there, "{entry:x}");
        }
        assert!(is_there(&[]));
    }

    #[test]
    fn no_bytes_have_no_pages() {
        // SAFETY: nothing is touched.
        assert_eq!(unsafe { wipe(null_mut(), 0) }, Some(0));
    }
}
