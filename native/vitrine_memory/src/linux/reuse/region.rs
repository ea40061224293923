//! The addresses of one linear memory, with guards around them.

use std::io;
use std::ptr::{NonNull, null_mut};

use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap};

use crate::system::pages::decommit::decommit;
use crate::system::pages::image::Image;
use crate::system::pages::mremap::move_or_copy;
use crate::system::pages::reset::{reset_to_image, reset_to_zeros};

/// A mapping: a guard, the bytes that are reserved for a memory, and another guard. Only the accessible bytes, with
/// which the reserved ones begin, can be read and written to.
pub(crate) struct Region {
    base: NonNull<u8>,
    reserved: usize,
    guard: usize,
    accessible: usize,
    contents: Contents,
    /// The number of resident pages beyond the accessible bytes. They stayed from a time when more bytes were
    /// accessible.
    beyond: usize,
}

/// The contents of the accessible bytes of a region.
#[derive(Clone, Copy, PartialEq)]
enum Contents {
    /// The bytes are one anonymous mapping.
    Blank,
    /// The bytes are one anonymous mapping, into which an image is mapped.
    WithImage,
    /// The bytes have pages that were moved here from a region that the memory outgrew.
    Moved,
}

// SAFETY: a region is the only owner of its mapping.
unsafe impl Send for Region {}
// SAFETY: a shared reference gives addresses and lengths only.
unsafe impl Sync for Region {}

impl Region {
    /// A region of whole pages, of which none is accessible and all are zero.
    pub(crate) fn map(reserved: usize, guard: usize) -> io::Result<Region> {
        let size = guard.checked_mul(2).and_then(|g| g.checked_add(reserved));
        let size = size.ok_or(io::ErrorKind::OutOfMemory)?;
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        // SAFETY: the mapping is new, at an address that the system chooses.
        let start = unsafe { mmap_anonymous(null_mut(), size.max(1), ProtFlags::empty(), flags)? };
        let base = NonNull::new(start.cast::<u8>()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Region {
            // SAFETY: the guard is a part of the mapping.
            base: unsafe { base.add(guard) },
            reserved,
            guard,
            accessible: 0,
            contents: Contents::Blank,
            beyond: 0,
        })
    }

    pub(crate) fn base(&self) -> *mut u8 {
        self.base.as_ptr()
    }

    /// The bytes that are reserved, and those of each guard.
    pub(crate) fn layout(&self) -> (usize, usize) {
        (self.reserved, self.guard)
    }

    /// The bytes that can be read and written to.
    pub(crate) fn accessible(&self) -> usize {
        self.accessible
    }

    /// Makes the first `wanted` of the reserved bytes accessible, and no others. They are whole pages. Bytes that were
    /// never accessible are zero. After an error the region is as before.
    pub(crate) fn make_accessible(&mut self, wanted: usize) -> io::Result<()> {
        if wanted > self.reserved {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        let (from, to, flags) = match wanted > self.accessible {
            true => (
                self.accessible,
                wanted,
                MprotectFlags::READ | MprotectFlags::WRITE,
            ),
            false => (wanted, self.accessible, MprotectFlags::empty()),
        };
        if from < to {
            // SAFETY: the pages belong to the mapping and nobody has a reference to them: a memory that has them
            // grows, or is not there yet.
            unsafe { mprotect(self.base().add(from).cast(), to - from, flags)? };
            self.accessible = wanted;
        }
        Ok(())
    }

    /// Maps an image into the accessible bytes, which are as many as the image's memory has and were not used.
    pub(crate) fn begin_with(&mut self, image: &Image) -> io::Result<()> {
        if image.end() > self.accessible {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        self.contents = Contents::WithImage;
        // SAFETY: as many bytes are accessible, and nobody has a reference to them.
        unsafe { image.map(self.base()) }
    }

    /// A larger region with the bytes of this one and zeros after them. `wanted` bytes of it are accessible, which are
    /// more than in this region. This region is not used any more. After an error it is as before.
    pub(crate) fn outgrown(&self, wanted: usize, reserved: usize) -> io::Result<Region> {
        let whole = self.contents == Contents::Blank;
        // SAFETY: both are different mappings, and are accessible in that length. This one is not used any more.
        unsafe {
            move_or_copy(self.base(), self.accessible, whole, || {
                let mut region = Region::map(reserved, self.guard)?;
                region.make_accessible(wanted)?;
                region.contents = Contents::Moved;
                let to = region.base();
                Ok((region, to))
            })
        }
    }

    /// Resets the region to its first state: so many accessible bytes, at most as many as now, and this image if there
    /// was one. Returns how many pages the region has to itself, or `None` if it cannot be used again.
    ///
    /// # Safety
    ///
    /// Nobody has a reference to its bytes.
    pub(crate) unsafe fn reset(
        &mut self,
        accessible: usize,
        image: Option<&Image>,
    ) -> Option<usize> {
        let beyond = self.accessible.checked_sub(accessible)?;
        let base = self.base();
        let pages = match (self.contents, image) {
            // SAFETY: the bytes are private, anonymous and writable, and the caller promises the rest.
            (Contents::Blank, None) => unsafe { reset_to_zeros(base, accessible) },
            // SAFETY: the same, and the image is where `begin_with` mapped it, within these bytes.
            (Contents::WithImage, Some(image)) => unsafe {
                reset_to_image(base, accessible, image)
            },
            _ => None,
        }?;
        // The pages that the memory grew by stay resident, and the next memory does not see them.
        // SAFETY: these bytes follow, and are private, anonymous and writable as well.
        let grown = unsafe { reset_to_zeros(base.add(accessible), beyond) }?;
        self.beyond = self.beyond.max(grown);
        self.make_accessible(accessible).ok()?;
        Some(pages + self.beyond)
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: nobody has a reference to the accessible bytes.
        let _ = unsafe { decommit(self.base(), self.accessible) };
        let size = self.guard * 2 + self.reserved;
        // SAFETY: `map` mapped it with this size, and here it starts. Nobody has a reference to it. This can only fail
        // for want of mappings, and then the addresses stay mapped.
        let _ = unsafe { munmap(self.base().sub(self.guard).cast(), size.max(1)) };
    }
}

#[cfg(test)]
mod tests {
    use rustix::param::page_size;

    use super::*;

    #[test]
    fn pages_that_a_memory_grew_by_are_counted_as_long_as_they_are_resident() {
        let page = page_size();
        let mut region = Region::map(20 * page, page).unwrap();
        region.make_accessible(20 * page).unwrap();
        for at in 8..18 {
            // SAFETY: the byte is accessible, and nobody has a reference to it.
            unsafe { region.base().add(at * page).write_volatile(1) };
        }
        for _ in 0..2 {
            // SAFETY: nobody has a reference to the region's bytes.
            let pages = unsafe { region.reset(5 * page, None) };
            // The first page of either part is counted, too, because the reset itself writes to it.
            assert_eq!(pages, Some(12));
            assert_eq!(region.accessible(), 5 * page);
        }
        region.make_accessible(20 * page).unwrap();
        // SAFETY: the bytes are accessible, and nobody has a reference to them.
        let bytes = unsafe { std::slice::from_raw_parts(region.base(), 20 * page) };
        assert!(bytes.iter().all(|b| *b == 0));
    }
}
