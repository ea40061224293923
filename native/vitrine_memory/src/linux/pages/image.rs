//! An image of a linear memory: data in a sealed file without a name, which memories map privately.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::mm::{MapFlags, ProtFlags, mmap};
use rustix::param::page_size;

/// The bytes that a memory of a certain length begins with.
#[derive(Debug)]
pub(crate) struct Image {
    id: ImageId,
    memory_len: usize,
    /// The offset of its first page in the memory.
    start: usize,
    /// Its length, in whole pages.
    len: usize,
    file: File,
}

/// An identifier that tells an image from all others that this process makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ImageId(u64);

impl Image {
    /// An image of a memory of `memory_len` bytes, which has `bytes` at `start` and zeros around them.
    pub(crate) fn new(memory_len: usize, start: usize, bytes: &[u8]) -> io::Result<Image> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let end = start.checked_add(bytes.len());
        let end = end.filter(|end| *end <= memory_len);
        let end = end.ok_or(io::ErrorKind::InvalidInput)?;
        let page = page_size();
        let first = start / page * page;
        let len = (end - first).next_multiple_of(page);
        let file = memory_file()?;
        file.set_len(len as u64)?;
        file.write_all_at(bytes, (start - first) as u64)?;
        // The seals are for good: a mapped page that is not in its file any more would end the process.
        let seals = SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
        fcntl_add_seals(&file, seals)?;
        Ok(Image {
            id: ImageId(NEXT.fetch_add(1, Relaxed)),
            memory_len,
            start: first,
            len,
            file,
        })
    }

    pub(crate) fn id(&self) -> ImageId {
        self.id
    }

    /// The length of the memory that begins with it.
    pub(crate) fn memory_len(&self) -> usize {
        self.memory_len
    }

    /// The bytes of the memory up to the image's end.
    pub(crate) fn end(&self) -> usize {
        self.start + self.len
    }

    /// Returns true if the image covers the page at this offset of the memory.
    pub(crate) fn covers(&self, page: usize) -> bool {
        (self.start..self.end()).contains(&page)
    }

    /// Reads the page at this offset of the memory, which the image covers.
    pub(crate) fn read(&self, page: usize, bytes: &mut [u8]) -> io::Result<()> {
        let offset = page.checked_sub(self.start);
        let offset = offset.ok_or(io::ErrorKind::InvalidInput)?;
        self.file.read_exact_at(bytes, offset as u64)
    }

    /// Maps the image where it belongs in the memory at `base`.
    ///
    /// # Safety
    ///
    /// `base` begins a page of a mapping. Nobody uses the mapping's bytes up to [`Image::end`], and all of them
    /// belong to the mapping.
    pub(crate) unsafe fn map(&self, base: *mut u8) -> io::Result<()> {
        let (access, flags) = (
            ProtFlags::READ | ProtFlags::WRITE,
            MapFlags::PRIVATE | MapFlags::FIXED,
        );
        // SAFETY: the range ends within the caller's bytes, which nobody uses.
        unsafe {
            let at = base.add(self.start).cast();
            mmap(at, self.len, access, flags, &self.file, 0)?;
        }
        Ok(())
    }
}

/// A file that can be sealed and cannot be executed: some systems allow no other. Linux before 6.3 does not know
/// the flag for that.
fn memory_file() -> io::Result<File> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let file = memfd_create("vitrine-image", flags | MemfdFlags::NOEXEC_SEAL);
    let file = file.or_else(|_| memfd_create("vitrine-image", flags))?;
    Ok(File::from(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_an_image_cannot_be_changed() {
        let image = Image::new(65_536, 0, b"data").unwrap();
        assert!(image.file.write_all_at(b"other", 0).is_err());
        assert!(image.file.set_len(0).is_err());
        assert!(image.file.set_len(1 << 20).is_err());
    }

    #[test]
    fn data_beyond_the_memory_has_no_image() {
        for start in [65_533, 65_536, usize::MAX - 3, usize::MAX] {
            assert!(Image::new(65_536, start, b"data").is_err(), "{start}");
        }
        assert_eq!(Image::new(65_536, 65_532, b"data").unwrap().end(), 65_536);
    }

    #[test]
    fn an_image_covers_whole_pages_around_its_data() {
        let page = page_size();
        let image = Image::new(8 * page, 2 * page + 5, &vec![7; page]).unwrap();
        let covered: Vec<_> = (0..8).map(|at| image.covers(at * page)).collect();
        assert_eq!(
            covered,
            [false, false, true, true, false, false, false, false]
        );
        let mut bytes = vec![0; page];
        image.read(2 * page, &mut bytes).unwrap();
        assert!(bytes[..5].iter().all(|b| *b == 0));
        assert!(bytes[5..].iter().all(|b| *b == 7));
        assert!(image.read(page, &mut bytes).is_err());
    }
}
