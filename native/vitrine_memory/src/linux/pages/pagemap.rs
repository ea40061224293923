//! Reads `/proc/self/pagemap`, in which the system has an entry for each page of this process.
//!
//! The file is not trusted before it was tried: in some sandboxes it is empty or all zero.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::ptr::null_mut;
use std::sync::LazyLock;

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};
use rustix::param::page_size;

use super::image::Image;

/// Two bits of an entry: one is set if the page is resident, and the other if it is in swap.
const RESIDENT: u64 = 0b11 << 62;
/// The bit that is set in the entry of a page of a file, until the page is written to through a private mapping.
const OF_FILE: u64 = 1 << 61;
const ENTRY: usize = size_of::<u64>();
/// The number of entries that are read at a time.
const CHUNK: usize = 1024;

/// The pagemap of this process. A child by `fork` would read that of its parent, but no child has a reaper that
/// would drop a memory.
pub(super) struct Pagemap(File);

static PAGEMAP: LazyLock<Option<Pagemap>> = LazyLock::new(|| {
    let pagemap = Pagemap(File::open("/proc/self/pagemap").ok()?);
    pagemap.tells_written_pages().then_some(pagemap)
});

static TELLS_FILES: LazyLock<bool> =
    LazyLock::new(|| PAGEMAP.as_ref().is_some_and(Pagemap::tells_pages_of_files));

/// The entry of one page.
#[derive(Clone, Copy)]
pub(super) struct Entry(u64);

impl Entry {
    pub(super) fn is_resident(self) -> bool {
        self.0 & RESIDENT != 0
    }

    /// Returns true if the page is still that of a file.
    pub(super) fn is_of_file(self) -> bool {
        self.0 & OF_FILE != 0
    }
}

/// The pagemap, if the system has one that tells which pages were written to.
pub(super) fn pagemap() -> Option<&'static Pagemap> {
    PAGEMAP.as_ref()
}

/// The pagemap, if it also tells which pages are those of a file.
pub(super) fn pagemap_of_files() -> Option<&'static Pagemap> {
    PAGEMAP.as_ref().filter(|_| *TELLS_FILES)
}

impl Pagemap {
    #[cfg(test)]
    pub(super) fn open(path: &str) -> Pagemap {
        Pagemap(File::open(path).unwrap())
    }

    /// Passes the entries of `count` pages from `base` on to `each`, with their numbers from 0 on, until `each`
    /// returns `None`. Returns `None` then, and also if the entries cannot be read.
    pub(super) fn entries(
        &self,
        base: *const u8,
        count: usize,
        mut each: impl FnMut(usize, Entry) -> Option<()>,
    ) -> Option<()> {
        let mut bytes = [0; CHUNK * ENTRY];
        for first in (0..count).step_by(CHUNK) {
            let bytes = &mut bytes[..CHUNK.min(count - first) * ENTRY];
            self.read(base, first, bytes).ok()?;
            let (entries, _) = bytes.as_chunks();
            for (page, entry) in (first..).zip(entries) {
                each(page, Entry(u64::from_ne_bytes(*entry)))?;
            }
        }
        Some(())
    }

    fn read(&self, base: *const u8, first: usize, bytes: &mut [u8]) -> io::Result<()> {
        let at = (base as usize / page_size() + first) * ENTRY;
        self.0.read_exact_at(bytes, at as u64)
    }

    /// Returns true if the pagemap tells a page that was written to from one that was not.
    fn tells_written_pages(&self) -> bool {
        let entries = self.try_out(None);
        entries.is_some_and(|[written, other]| written.is_resident() && !other.is_resident())
    }

    /// Returns true if the pagemap tells a page of a file that was written to from one that was only read.
    fn tells_pages_of_files(&self) -> bool {
        let len = 2 * page_size();
        let image = Image::new(len, 0, &vec![1; len]);
        let entries = image.ok().and_then(|image| self.try_out(Some(&image)));
        entries.is_some_and(|[written, read]| {
            let resident = written.is_resident() && read.is_resident();
            resident && !written.is_of_file() && read.is_of_file()
        })
    }

    /// The entries of two pages. The first was written to. The other was not touched, or, if they are those of an
    /// image, was only read.
    fn try_out(&self, image: Option<&Image>) -> Option<[Entry; 2]> {
        let size = page_size();
        let (access, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE);
        // SAFETY: the mapping is new, at an address that the system chooses.
        let base = unsafe { mmap_anonymous(null_mut(), 2 * size, access, flags) }.ok()?;
        let mut entries = [[0; ENTRY]; 2];
        // SAFETY: the mapping was made above and has room for the two pages of the image. Nobody has a reference to
        // it when it is unmapped.
        let (read, unmapped) = unsafe {
            // Otherwise the system may make both pages resident for one. Where it has no huge pages, this fails.
            let _ = madvise(base, 2 * size, Advice::LinuxNoHugepage);
            let bytes = base.cast::<u8>();
            let read = image.map_or(Ok(()), |image| {
                image.map(bytes)?;
                bytes.add(size).read_volatile();
                Ok(())
            });
            let read = read.and_then(|()| {
                bytes.write_volatile(1);
                self.read(bytes, 0, entries.as_flattened_mut())
            });
            (read, munmap(base, 2 * size))
        };
        let read = read.is_ok() && unmapped.is_ok();
        read.then(|| entries.map(|entry| Entry(u64::from_ne_bytes(entry))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pagemap_that_is_empty_or_all_zero_is_not_believed() {
        for (file, believed) in [
            ("/proc/self/pagemap", true),
            ("/dev/zero", false),
            ("/dev/null", false),
        ] {
            let pagemap = Pagemap::open(file);
            assert_eq!(pagemap.tells_written_pages(), believed, "{file}");
            assert_eq!(pagemap.tells_pages_of_files(), believed, "{file}");
        }
    }

    #[test]
    fn a_page_in_memory_or_in_swap_is_resident() {
        for (entry, resident) in [
            (1_u64 << 63, true),
            // The page is in swap, or on its way to another place.
            (1 << 62, true),
            (u64::MAX, true),
            (u64::MAX >> 2, false),
            (0, false),
        ] {
            assert_eq!(Entry(entry).is_resident(), resident, "{entry:x}");
        }
    }

    #[test]
    fn a_page_is_of_a_file_until_it_is_written_to() {
        for (entry, of_file) in [
            (0, false),
            (1 << 63, false),
            (0b101 << 61, true),
            (u64::MAX, true),
            (u64::MAX >> 3, false),
        ] {
            assert_eq!(Entry(entry).is_of_file(), of_file, "{entry:x}");
        }
    }
}
