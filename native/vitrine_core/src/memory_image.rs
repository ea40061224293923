//! Images of memories: what all instances of a module begin with, in a file that has no name. An instance
//! maps it, and gets copies of the pages that it writes to.

use std::cell::RefCell;
use std::fs::File;
use std::future::{Future, poll_fn};
use std::io;
use std::os::unix::fs::FileExt;
use std::pin::pin;
use std::sync::Arc;

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::mm::{MapFlags, ProtFlags, mmap};
use rustix::param::page_size;

use crate::data_image::DataImage;

/// An image of a memory of that length.
pub(crate) struct MemoryImage {
    memory: usize,
    /// Its first page in that memory.
    start: usize,
    /// Whole pages.
    len: usize,
    file: File,
}

thread_local! {
    /// The image of the memory that is made next.
    static NEXT: RefCell<Option<Arc<MemoryImage>>> = const { RefCell::new(None) };
}

impl MemoryImage {
    pub(crate) fn new(data: &DataImage) -> io::Result<MemoryImage> {
        let page = page_size();
        let start = data.start / page * page;
        let len = (data.start + data.bytes.len() - start).next_multiple_of(page);
        let file = File::from(memfd_create("vitrine-image", MemfdFlags::CLOEXEC)?);
        file.set_len(len as u64)?;
        file.write_all_at(&data.bytes, (data.start - start) as u64)?;
        Ok(MemoryImage {
            memory: data.memory,
            start,
            len,
            file,
        })
    }

    /// The length of the memory that it is of.
    pub(crate) fn memory(&self) -> usize {
        self.memory
    }

    /// Maps it where it belongs in the memory at `base`.
    ///
    /// # Safety
    ///
    /// `base` begins a page of a mapping of which nobody uses the first bytes, as many as the memory has
    /// in whole pages.
    pub(crate) unsafe fn map(&self, base: *mut u8) -> io::Result<()> {
        let (access, flags) = (
            ProtFlags::READ | ProtFlags::WRITE,
            MapFlags::PRIVATE | MapFlags::FIXED,
        );
        // SAFETY: the image ends in the page in which the memory does at the latest.
        unsafe {
            let at = base.add(self.start).cast();
            mmap(at, self.len, access, flags, &self.file, 0)?;
        }
        Ok(())
    }
}

/// Makes an instance: the first memory that is made for it begins with this image.
pub(crate) async fn with_image<F: Future>(image: Option<Arc<MemoryImage>>, make: F) -> F::Output {
    let (mut image, mut make) = (image, pin!(make));
    poll_fn(move |context| {
        // What it makes within may be another instance.
        let before = NEXT.replace(image.take());
        let polled = make.as_mut().poll(context);
        image = NEXT.replace(before);
        polled
    })
    .await
}

/// The image for the memory that is made now, once.
pub(crate) fn next() -> Option<Arc<MemoryImage>> {
    NEXT.take()
}
