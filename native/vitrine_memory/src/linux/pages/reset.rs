//! Resets memory to the contents that it began with, and leaves its pages resident.
//!
//! Most guests write to a few pages of a megabyte. The pagemap tells which pages they are, so only those pages are
//! written. The next instance finds them resident: a page that the system has to hand out again takes longer than many
//! calls.

use std::slice::from_raw_parts_mut;

use rustix::param::page_size;

use super::image::Image;
use super::pagemap::{Pagemap, pagemap, pagemap_of_files};

/// The most memory that is looked through, and the most pages that are written. Beyond that it is cheaper to
/// decommit them, and others can use the memory.
const MOST_BYTES: usize = 32 << 20;
const MOST_PAGES: usize = 256;

/// Zeroes `len` bytes from `base` on. Returns how many of their pages are resident. `None` if the bytes were not
/// zeroed, because the system does not tell which pages there are, or because it would take long.
///
/// # Safety
///
/// `base` begins a page of a private anonymous mapping. The first `len` bytes can be written to, and nobody else has
/// a reference to them.
pub(crate) unsafe fn reset_to_zeros(base: *mut u8, len: usize) -> Option<usize> {
    // SAFETY: the caller's promise.
    unsafe { reset(pagemap()?, base, len, None) }
}

/// Makes memory that began with an image as it began. Returns how many pages it has to itself, as
/// [`reset_to_zeros`] does.
///
/// # Safety
///
/// The requirements of [`reset_to_zeros`], but the image is mapped where it belongs.
pub(crate) unsafe fn reset_to_image(base: *mut u8, len: usize, image: &Image) -> Option<usize> {
    // SAFETY: the caller's promise.
    unsafe { reset(pagemap_of_files()?, base, len, Some(image)) }
}

/// # Safety
///
/// The requirements of [`reset_to_zeros`] or, with an image, of [`reset_to_image`].
unsafe fn reset(
    pagemap: &Pagemap,
    base: *mut u8,
    len: usize,
    image: Option<&Image>,
) -> Option<usize> {
    if len > MOST_BYTES {
        return None;
    }
    if len > 0 {
        // SAFETY: the byte is in the caller's range.
        unsafe { base.write_volatile(0) };
    }
    let size = page_size();
    let mut resident = 0;
    pagemap.entries(base, len.div_ceil(size), |page, entry| {
        let image = image.filter(|image| image.covers(page * size));
        if entry.is_resident() && !(image.is_some() && entry.is_of_file()) {
            resident += 1;
            if resident > MOST_PAGES {
                return None;
            }
            // SAFETY: the page is in the caller's range, and nobody else has a reference to it. The mapping has
            // whole pages.
            let bytes = unsafe { from_raw_parts_mut(base.add(page * size), size) };
            match image {
                Some(image) => image.read(page * size, bytes).ok()?,
                None => bytes.fill(0),
            }
        } else if page == 0 {
            // This page was written to just now, so the pagemap no longer tells which pages were written to.
            return None;
        }
        Some(())
    })?;
    Some(resident)
}

#[cfg(test)]
mod tests {
    use std::ptr::null_mut;

    use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};

    use super::*;

    struct Mapping(*mut u8, usize);

    impl Mapping {
        fn new(pages: usize) -> Mapping {
            let len = pages * page_size();
            let (access, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE);
            // SAFETY: the mapping is new.
            let base = unsafe { mmap_anonymous(null_mut(), len, access, flags) };
            let base = base.unwrap();
            // Otherwise one byte may make 512 pages resident.
            // SAFETY: the range is the mapping's.
            unsafe { madvise(base, len, Advice::LinuxNoHugepage) }.ok();
            Mapping(base.cast(), len)
        }

        fn bytes(&mut self) -> &mut [u8] {
            // SAFETY: the bytes are mapped in this length, and borrowed with the mapping.
            unsafe { std::slice::from_raw_parts_mut(self.0, self.1) }
        }

        fn reset(&mut self) -> Option<usize> {
            // SAFETY: the mapping is private, anonymous and writable, and nobody else has a reference to it.
            unsafe { reset_to_zeros(self.0, self.1) }
        }
    }

    impl Drop for Mapping {
        fn drop(&mut self) {
            // SAFETY: `new` mapped it.
            unsafe { munmap(self.0.cast(), self.1) }.unwrap();
        }
    }

    #[test]
    fn written_pages_are_zero_and_still_resident() {
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
            let before = mapping.reset().unwrap();
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
        // The six pages that were written to are resident. Pages that were only read are not.
        assert_eq!(mapping.reset(), Some(6));
        assert!(mapping.bytes().iter().all(|b| *b == 0));
    }

    #[test]
    fn many_pages_or_much_memory_are_not_reset() {
        let mut mapping = Mapping::new(MOST_PAGES + 1);
        mapping.bytes()[..MOST_PAGES * page_size()].fill(1);
        assert_eq!(mapping.reset(), Some(MOST_PAGES));
        mapping.bytes().fill(1);
        assert_eq!(mapping.reset(), None);
        assert_eq!(Mapping::new(MOST_BYTES / page_size() + 1).reset(), None);
    }

    /// Pages 2 to 7 of 10, all sevens but for the first five bytes.
    fn image() -> Image {
        let page = page_size();
        Image::new(10 * page, 2 * page + 5, &vec![7; 6 * page - 5]).unwrap()
    }

    fn mapping_with(image: &Image) -> Mapping {
        let mapping = Mapping::new(10);
        // SAFETY: nobody has a reference to the mapping, and the image ends within it.
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
    fn written_pages_of_an_image_are_as_they_were_and_still_resident() {
        let (page, image) = (page_size(), image());
        let mut mapping = mapping_with(&image);
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
            // SAFETY: the image is mapped where it belongs, and nobody else has a reference to the mapping.
            let resident = unsafe { reset_to_image(mapping.0, mapping.1, &image) }.unwrap();
            assert!(resident >= written.len(), "{written:?}: {resident}");
            assert_as_it_began(&mut mapping);
        }
    }

    #[test]
    fn pages_of_an_image_that_were_only_read_are_not_counted() {
        let image = image();
        let mut mapping = mapping_with(&image);
        mapping.bytes()[3 * page_size()] = 1;
        let read: u32 = mapping.bytes()[2 * page_size()..][..6 * page_size()]
            .iter()
            .map(|b| u32::from(*b))
            .sum();
        assert!(read > 0);
        // SAFETY: the image is mapped where it belongs, and nobody else has a reference to the mapping.
        let resident = unsafe { reset_to_image(mapping.0, mapping.1, &image) };
        // The reset itself writes to the first page.
        assert_eq!(resident, Some(2));
    }

    #[test]
    fn the_first_page_of_an_image_that_begins_the_memory_is_reset_too() {
        let image = Image::new(page_size(), 0, &vec![7; page_size()]).unwrap();
        let mut mapping = Mapping::new(1);
        // SAFETY: nobody has a reference to the mapping, and the image ends within it.
        unsafe { image.map(mapping.0) }.unwrap();
        for _ in 0..2 {
            // SAFETY: the image is mapped where it belongs, and nobody else has a reference to the mapping.
            let resident = unsafe { reset_to_image(mapping.0, mapping.1, &image) };
            assert_eq!(resident, Some(1));
            assert!(mapping.bytes().iter().all(|b| *b == 7));
        }
    }

    #[test]
    fn memory_is_not_reset_by_a_pagemap_that_does_not_tell_any_more() {
        let mut mapping = Mapping::new(4);
        mapping.bytes().fill(1);
        for file in ["/dev/zero", "/dev/null"] {
            let pagemap = Pagemap::open(file);
            // SAFETY: the mapping is private, anonymous and writable, and nobody else has a reference to it.
            let resident = unsafe { reset(&pagemap, mapping.0, mapping.1, None) };
            assert_eq!(resident, None, "{file}");
        }
    }

    #[test]
    fn no_bytes_have_no_pages() {
        // SAFETY: nothing is touched.
        assert_eq!(unsafe { reset_to_zeros(null_mut(), 0) }, Some(0));
    }
}
