//! Makes memory as it began without giving it back to the system, which says what pages there are: most
//! guests write to a few of a megabyte.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::ptr::null_mut;
use std::slice::from_raw_parts_mut;
use std::sync::LazyLock;

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};
use rustix::param::page_size;
use vitrine_rewrite::DataImage;

use crate::memory_image::MemoryImage;

/// More memory than this is not looked through, and more pages are not written: to give them back is
/// cheaper, and so is to have them for somebody else.
const MOST_BYTES: usize = 32 << 20;
const MOST_PAGES: usize = 256;

/// In the entry of a page: it is in memory, or was put elsewhere.
const THERE: u64 = 0b11 << 62;
/// It is the page of a file, to which nobody wrote through a private mapping.
const OF_FILE: u64 = 1 << 61;
const ENTRY: usize = size_of::<u64>();
/// Entries that are read at a time.
const CHUNK: usize = 1024;

/// A word for each page of this process. `None` where the system does not tell. It is of this process alone:
/// a child by `fork` would be told of its parent, but has no reaper that would drop a memory.
static PAGES: LazyLock<Option<File>> = LazyLock::new(|| {
    let pages = File::open("/proc/self/pagemap").ok()?;
    tells(&pages).then_some(pages)
});

static TELLS_OF_FILES: LazyLock<bool> =
    LazyLock::new(|| PAGES.as_ref().is_some_and(tells_of_files));

/// Zeroes `len` bytes from `base` on: how many pages they have in memory. `None` if that was not done,
/// because it cannot be, or would take long.
///
/// # Safety
///
/// `base` begins a page of a private anonymous mapping, whose first `len` bytes can be written to, and to
/// which nobody else has a reference.
pub(crate) unsafe fn wipe(base: *mut u8, len: usize) -> Option<usize> {
    // SAFETY: the caller's promise.
    unsafe { wipe_as_told(PAGES.as_ref()?, base, len, None) }
}

/// The same for memory that began with an image: how many pages it has to itself.
///
/// # Safety
///
/// That of [`wipe`], but that the mapping is one of the image where that belongs.
pub(crate) unsafe fn restore(base: *mut u8, len: usize, image: &MemoryImage) -> Option<usize> {
    if !*TELLS_OF_FILES {
        return None;
    }
    // SAFETY: the caller's promise.
    unsafe { wipe_as_told(PAGES.as_ref()?, base, len, Some(image)) }
}

/// # Safety
///
/// That of [`wipe`] or, with an image, of [`restore`].
unsafe fn wipe_as_told(
    pages: &File,
    base: *mut u8,
    len: usize,
    image: Option<&MemoryImage>,
) -> Option<usize> {
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
            let image = image.filter(|image| image.has(page * size));
            if is_there(entry) && !(image.is_some() && is_of_file(entry)) {
                there += 1;
                if there > MOST_PAGES {
                    return None;
                }
                // SAFETY: a page of the caller's range, to which nobody else has a reference: the mapping
                // has whole ones.
                let bytes = unsafe { from_raw_parts_mut(base.add(page * size), size) };
                match image {
                    Some(image) => image.read(page * size, bytes).ok()?,
                    None => bytes.fill(0),
                }
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

fn is_of_file(entry: &[u8]) -> bool {
    let entry = <[u8; ENTRY]>::try_from(entry).map_or(0, u64::from_ne_bytes);
    entry & OF_FILE != 0
}

/// Whether the file tells a page that was written to from one that was not: some sandboxes have one that
/// is empty, or all zero.
fn tells(pages: &File) -> bool {
    let entries = told(pages, None);
    entries.is_some_and(|[written, other]| is_there(&written) && !is_there(&other))
}

/// Whether it does that also of an image's pages that are in memory.
fn tells_of_files(pages: &File) -> bool {
    let len = 2 * page_size();
    let image = MemoryImage::new(&DataImage {
        memory: len,
        start: 0,
        bytes: vec![1; len],
    });
    let entries = image.ok().and_then(|image| told(pages, Some(&image)));
    entries.is_some_and(|[written, read]| {
        is_there(&written) && !is_of_file(&written) && is_there(&read) && is_of_file(&read)
    })
}

/// What the file tells of two pages: one that was written to, and one that was not, or only read if they are
/// of an image.
fn told(pages: &File, image: Option<&MemoryImage>) -> Option<[[u8; ENTRY]; 2]> {
    let size = page_size();
    let (access, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE);
    // SAFETY: a new mapping, at an address that the system chooses.
    let base = unsafe { mmap_anonymous(null_mut(), 2 * size, access, flags) }.ok()?;
    let mut entries = [[0; ENTRY]; 2];
    // SAFETY: the mapping was made above, and has the two pages of the image; nobody has a reference to it
    // when it is unmapped.
    let (read, unmapped) = unsafe {
        // Or both pages may be there for one. A system without huge ones says no.
        let _ = madvise(base, 2 * size, Advice::LinuxNoHugepage);
        let bytes = base.cast::<u8>();
        let read = image.map_or(Ok(()), |image| {
            image.map(bytes)?;
            bytes.add(size).read_volatile();
            Ok(())
        });
        let read = read.and_then(|()| {
            bytes.write_volatile(1);
            let at = base as usize / size * ENTRY;
            pages.read_exact_at(entries.as_flattened_mut(), at as u64)
        });
        (read, munmap(base, 2 * size))
    };
    (read.is_ok() && unmapped.is_ok()).then_some(entries)
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

    /// Pages 2 to 7 of 10 are an image, all sevens.
    fn image() -> MemoryImage {
        let page = page_size();
        let data = DataImage {
            memory: 10 * page,
            start: 2 * page + 5,
            bytes: vec![7; 6 * page - 5],
        };
        MemoryImage::new(&data).unwrap()
    }

    fn with_image(image: &MemoryImage) -> Mapping {
        let mapping = Mapping::new(10);
        // SAFETY: nobody has a reference to it, and the image ends within it.
        unsafe { image.map(mapping.0) }.unwrap();
        mapping
    }

    fn assert_as_it_began(mapping: &mut Mapping) {
        let (page, bytes) = (page_size(), mapping.bytes());
        let (before, rest) = bytes.split_at(2 * page + 5);
        let (image, after) = rest.split_at(6 * page - 5);
        assert!(before.iter().chain(after).all(|b| *b == 0));
        assert!(image.iter().all(|b| *b == 7));
    }

    #[test]
    fn what_was_written_to_an_image_is_as_it_was_and_still_there() {
        let (page, image) = (page_size(), image());
        let mut mapping = with_image(&image);
        for written in [
            vec![],
            vec![2],
            vec![1, 2, 3, 7, 8],
            vec![9],
            (0..10).collect(),
        ] {
            for at in &written {
                mapping.bytes()[at * page..][..page].fill(1);
            }
            // SAFETY: as `restore` wants it.
            let there = unsafe { restore(mapping.0, mapping.1, &image) }.unwrap();
            assert!(there >= written.len(), "{written:?}: {there}");
            assert_as_it_began(&mut mapping);
        }
    }

    #[test]
    fn pages_of_an_image_that_nobody_wrote_to_are_not_counted() {
        let image = image();
        let mut mapping = with_image(&image);
        mapping.bytes()[3 * page_size()] = 1;
        let read: u32 = mapping.bytes()[2 * page_size()..][..6 * page_size()]
            .iter()
            .map(|b| u32::from(*b))
            .sum();
        assert!(read > 0);
        // SAFETY: as `restore` wants it. The first page is one that it writes to itself.
        let there = unsafe { restore(mapping.0, mapping.1, &image) };
        assert_eq!(there, Some(2));
    }

    #[test]
    fn an_image_that_begins_with_the_memory_has_its_first_page_again() {
        let data = DataImage {
            memory: page_size(),
            start: 0,
            bytes: vec![7; page_size()],
        };
        let image = MemoryImage::new(&data).unwrap();
        let mut mapping = Mapping::new(1);
        // SAFETY: nobody has a reference to it, and the image ends within it.
        unsafe { image.map(mapping.0) }.unwrap();
        for _ in 0..2 {
            // SAFETY: as `restore` wants it.
            assert_eq!(unsafe { restore(mapping.0, mapping.1, &image) }, Some(1));
            assert!(mapping.bytes().iter().all(|b| *b == 7));
        }
    }

    #[test]
    fn a_file_that_does_not_tell_is_not_believed() {
        let open = |path| File::open(path).unwrap();
        for (file, told) in [
            ("/proc/self/pagemap", true),
            ("/dev/zero", false),
            ("/dev/null", false),
        ] {
            assert_eq!(tells(&open(file)), told, "{file}");
            assert_eq!(tells_of_files(&open(file)), told, "{file}");
        }
    }

    #[test]
    fn what_is_no_image_is_no_file() {
        for (entry, of_file) in [
            (0, false),
            (1 << 63, false),
            (0b101 << 61, true),
            (u64::MAX, true),
            (u64::MAX >> 3, false),
        ] {
            assert_eq!(is_of_file(&entry.to_ne_bytes()), of_file, "{entry:x}");
        }
        // Then it is restored.
        assert!(!is_of_file(&[]));
    }

    #[test]
    fn a_file_that_tells_no_more_is_not_believed_either() {
        let mut mapping = Mapping::new(4);
        mapping.bytes().fill(1);
        for file in ["/dev/zero", "/dev/null"] {
            let pages = File::open(file).unwrap();
            // SAFETY: a mapping as it is wanted.
            let wiped = unsafe { wipe_as_told(&pages, mapping.0, mapping.1, None) };
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
