//! Addresses for a linear memory, with guards around them.

use std::io;
use std::ptr::{NonNull, null_mut};

use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap};

use crate::memory_image::MemoryImage;
use crate::moved::moved;
use crate::release::release;
use crate::wipe::{restore, wipe};

/// A mapping: a guard, what is reserved for a memory, and another guard. Nothing can be touched but the
/// accessible bytes that the reserved ones begin with.
pub(crate) struct Region {
    base: NonNull<u8>,
    reserved: usize,
    guard: usize,
    accessible: usize,
    pages: Pages,
    /// Pages beyond the accessible ones, that it has from when there were more.
    beyond: usize,
}

/// What the accessible bytes of a region are.
#[derive(Clone, Copy, PartialEq)]
enum Pages {
    /// One mapping, which is anonymous.
    Blank,
    /// The same, but for an image that is mapped into them.
    OfImage,
    /// Of a region that was outgrown.
    Moved,
}

// SAFETY: it is the only owner of its mapping.
unsafe impl Send for Region {}
// SAFETY: what is shared gives addresses and lengths.
unsafe impl Sync for Region {}

impl Region {
    /// Of whole pages, of which none is accessible, and all are zero.
    pub(crate) fn map(reserved: usize, guard: usize) -> io::Result<Region> {
        let size = guard.checked_mul(2).and_then(|g| g.checked_add(reserved));
        let size = size.ok_or(io::ErrorKind::OutOfMemory)?;
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        // SAFETY: a new mapping, at an address that the system chooses.
        let start = unsafe { mmap_anonymous(null_mut(), size.max(1), ProtFlags::empty(), flags)? };
        let base = NonNull::new(start.cast::<u8>()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Region {
            // SAFETY: the guard is a part of the mapping.
            base: unsafe { base.add(guard) },
            reserved,
            guard,
            accessible: 0,
            pages: Pages::Blank,
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

    /// The bytes that can be touched.
    pub(crate) fn accessible(&self) -> usize {
        self.accessible
    }

    /// Lets so many bytes be touched, whole pages inside what is reserved, and no others. What was never
    /// accessible is zero. After an error it is as before.
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
            // SAFETY: pages of the mapping that nobody has a reference to: a memory that has them becomes
            // larger, or is not there yet.
            unsafe { mprotect(self.base().add(from).cast(), to - from, flags)? };
            self.accessible = wanted;
        }
        Ok(())
    }

    /// Puts an image of a memory into what is accessible, which is of that memory's length and was not used.
    pub(crate) fn begin_with(&mut self, image: &MemoryImage) -> io::Result<()> {
        if image.end() > self.accessible {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        self.pages = Pages::OfImage;
        // SAFETY: as many bytes can be touched, and nobody has a reference to them.
        unsafe { image.map(self.base()) }
    }

    /// A larger region, of which `wanted` bytes are accessible, more than of this one, and begin with those
    /// of this one. This one is not used any more, unless that fails: then it is as before.
    pub(crate) fn outgrown(&self, wanted: usize, reserved: usize) -> io::Result<Region> {
        let whole = self.pages == Pages::Blank;
        // SAFETY: both are mapped and can be touched in that length, and are different mappings. This one
        // is not used any more.
        unsafe {
            moved(self.base(), self.accessible, whole, || {
                let mut region = Region::map(reserved, self.guard)?;
                region.make_accessible(wanted)?;
                region.pages = Pages::Moved;
                let to = region.base();
                Ok((region, to))
            })
        }
    }

    /// Makes it as it began, with so many accessible bytes, not more than there are, and with this image if there
    /// was one: how many pages it still has to itself. `None` if it cannot be used again.
    ///
    /// # Safety
    ///
    /// Nobody has a reference to it.
    pub(crate) unsafe fn wipe(
        &mut self,
        accessible: usize,
        image: Option<&MemoryImage>,
    ) -> Option<usize> {
        let beyond = self.accessible.checked_sub(accessible)?;
        let base = self.base();
        let pages = match (self.pages, image) {
            // SAFETY: private anonymous memory that can be written to, and the caller's promise.
            (Pages::Blank, None) => unsafe { wipe(base, accessible) },
            // SAFETY: the same, with the image where `begin_with` put it, which is within these bytes.
            (Pages::OfImage, Some(image)) => unsafe { restore(base, accessible, image) },
            _ => None,
        }?;
        // They stay, and those of somebody who had more are not seen.
        // SAFETY: private anonymous memory as well, which follows.
        let grown = unsafe { wipe(base.add(accessible), beyond) }?;
        self.beyond = self.beyond.max(grown);
        self.make_accessible(accessible).ok()?;
        Some(pages + self.beyond)
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: nobody has a reference to what the mapping begins with.
        let _ = unsafe { release(self.base(), self.accessible) };
        let size = self.guard * 2 + self.reserved;
        // SAFETY: it was mapped with this size by `map`, where this is its start, and nobody has a
        // reference to it. It can only fail for want of mappings, and then stays.
        let _ = unsafe { munmap(self.base().sub(self.guard).cast(), size.max(1)) };
    }
}

#[cfg(test)]
mod tests {
    use rustix::param::page_size;

    use super::*;

    #[test]
    fn what_somebody_had_who_had_grown_is_counted_as_long_as_it_is_there() {
        let page = page_size();
        let mut region = Region::map(20 * page, page).unwrap();
        region.make_accessible(20 * page).unwrap();
        for at in 8..18 {
            // SAFETY: accessible, and nobody has a reference to it.
            unsafe { region.base().add(at * page).write_volatile(1) };
        }
        for _ in 0..2 {
            // SAFETY: nobody has a reference to it.
            let pages = unsafe { region.wipe(5 * page, None) };
            // And the first ones of both parts, which it looks at itself.
            assert_eq!(pages, Some(12));
            assert_eq!(region.accessible(), 5 * page);
        }
        region.make_accessible(20 * page).unwrap();
        // SAFETY: accessible, and nobody has a reference to it.
        let bytes = unsafe { std::slice::from_raw_parts(region.base(), 20 * page) };
        assert!(bytes.iter().all(|b| *b == 0));
    }
}
