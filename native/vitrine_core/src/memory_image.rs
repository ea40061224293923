//! Images of memories: what all instances of a module begin with, in a file that has no name. An instance
//! maps it, and gets copies of the pages that it writes to.

use std::cell::RefCell;
use std::fs::File;
use std::future::{Future, poll_fn};
use std::io;
use std::os::unix::fs::FileExt;
use std::pin::pin;
use std::sync::Arc;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::mm::{MapFlags, ProtFlags, mmap};
use rustix::param::page_size;
use vitrine_rewrite::DataImage;
use wasmtime::{Result, format_err};

use crate::kept_regions;

/// An image of a memory of that length, which is not 0.
pub(crate) struct MemoryImage {
    memory: usize,
    /// Its first page in that memory.
    start: usize,
    /// Whole pages.
    len: usize,
    file: File,
}

type Image = Option<Arc<MemoryImage>>;

thread_local! {
    /// The image of the first memory of its length that is made.
    static NEXT: RefCell<Image> = const { RefCell::new(None) };
}

impl MemoryImage {
    pub(crate) fn new(data: &DataImage) -> io::Result<MemoryImage> {
        let page = page_size();
        let start = data.start / page * page;
        let len = (data.start + data.bytes.len() - start).next_multiple_of(page);
        let file = memory_file()?;
        file.set_len(len as u64)?;
        file.write_all_at(&data.bytes, (data.start - start) as u64)?;
        // For good: a page of a mapping that is not in its file any more would end the process.
        let seals = SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
        fcntl_add_seals(&file, seals)?;
        Ok(MemoryImage {
            memory: data.memory,
            start,
            len,
            file,
        })
    }

    /// The bytes of the memory up to its end.
    pub(crate) fn end(&self) -> usize {
        self.start + self.len
    }

    /// Whether the page at this offset of the memory has something of the image.
    pub(crate) fn has(&self, page: usize) -> bool {
        (self.start..self.end()).contains(&page)
    }

    /// Reads the page at this offset of the memory, which the image has.
    pub(crate) fn read(&self, page: usize, bytes: &mut [u8]) -> io::Result<()> {
        let offset = page.checked_sub(self.start);
        let offset = offset.ok_or(io::ErrorKind::InvalidInput)?;
        self.file.read_exact_at(bytes, offset as u64)
    }

    /// Maps it where it belongs in the memory at `base`.
    ///
    /// # Safety
    ///
    /// `base` begins a page of a mapping of which nobody uses the first bytes, as many as there are up to
    /// the end of the image.
    pub(crate) unsafe fn map(&self, base: *mut u8) -> io::Result<()> {
        let (access, flags) = (
            ProtFlags::READ | ProtFlags::WRITE,
            MapFlags::PRIVATE | MapFlags::FIXED,
        );
        // SAFETY: it ends within the caller's bytes.
        unsafe {
            let at = base.add(self.start).cast();
            mmap(at, self.len, access, flags, &self.file, 0)?;
        }
        Ok(())
    }
}

impl Drop for MemoryImage {
    fn drop(&mut self) {
        // No memory will begin with it again.
        kept_regions::forget_images();
    }
}

/// A file that can be sealed, and not be run: without that some systems give none. Before 6.3 Linux does not
/// know of it.
fn memory_file() -> io::Result<File> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let file = memfd_create("vitrine-image", flags | MemfdFlags::NOEXEC_SEAL);
    let file = file.or_else(|_| memfd_create("vitrine-image", flags))?;
    Ok(File::from(file))
}

/// Makes an instance whose own memory begins with this image. It has no other memory of that length: before its
/// own, Wasmtime makes at most the heap of the garbage collector, which has none at first.
///
/// # Errors
///
/// Also when it was made without the image.
pub(crate) async fn with_image<T>(
    mut image: Image,
    make: impl Future<Output = Result<T>>,
) -> Result<T> {
    let mut make = pin!(make);
    let made = poll_fn(|context| {
        let _turn = Turn::begin(&mut image);
        make.as_mut().poll(context)
    });
    match (made.await, image) {
        (Ok(_), Some(_)) => Err(format_err!("the instance has no memory for its data")),
        (made, _) => made,
    }
}

/// The image for the memory of that length that is made now, once.
pub(crate) fn next(memory: usize) -> Image {
    NEXT.with_borrow_mut(|next| next.take_if(|image| image.memory == memory))
}

/// While what is made with an image is polled. Within may be another, and what is made can panic.
struct Turn<'a> {
    image: &'a mut Image,
    before: Image,
}

impl<'a> Turn<'a> {
    fn begin(image: &'a mut Image) -> Turn<'a> {
        let before = NEXT.replace(image.take());
        Turn { image, before }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.image = NEXT.replace(self.before.take());
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::task::{Context, Poll, Waker};

    use super::*;

    const LEN: usize = 65_536;

    fn image(bytes: &[u8]) -> Arc<MemoryImage> {
        let data = DataImage {
            memory: LEN,
            start: 0,
            bytes: bytes.into(),
        };
        Arc::new(MemoryImage::new(&data).unwrap())
    }

    fn is_next(image: &Arc<MemoryImage>) -> bool {
        next(LEN).is_some_and(|next| Arc::ptr_eq(&next, image))
    }

    fn poll<T>(make: impl Future<Output = T>) -> Poll<T> {
        pin!(make).poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn the_first_memory_of_its_length_has_the_image_and_no_other() {
        let image = image(b"data");
        let made = poll(with_image(Some(image.clone()), async {
            Ok((next(0).is_none(), is_next(&image), next(LEN).is_none()))
        }));
        assert!(matches!(made, Poll::Ready(Ok((true, true, true)))));
    }

    #[test]
    fn what_is_made_without_its_image_is_not_made() {
        let made = poll(with_image(Some(image(b"data")), async { Ok(()) }));
        assert!(matches!(made, Poll::Ready(Err(_))));
        assert!(next(LEN).is_none());
    }

    #[test]
    fn each_of_those_that_are_made_within_each_other_has_its_own() {
        let (outer, inner) = (image(b"outer"), image(b"inner"));
        let made = poll(with_image(Some(outer.clone()), async {
            let own = with_image(Some(inner.clone()), async { Ok(is_next(&inner)) }).await?;
            let none = with_image(None, async { Ok(next(LEN).is_none()) }).await?;
            Ok((own, none, is_next(&outer)))
        }));
        assert!(matches!(made, Poll::Ready(Ok((true, true, true)))));
    }

    #[test]
    fn nobody_else_has_it_between_two_polls() {
        let (image, mut polled) = (image(b"data"), false);
        let mut made = pin!(with_image(
            Some(image.clone()),
            poll_fn(|_| match std::mem::replace(&mut polled, true) {
                false => Poll::Pending,
                true => Poll::Ready(Ok(is_next(&image))),
            })
        ));
        let mut context = Context::from_waker(Waker::noop());
        assert!(made.as_mut().poll(&mut context).is_pending());
        assert!(next(LEN).is_none());
        assert!(matches!(
            made.as_mut().poll(&mut context),
            Poll::Ready(Ok(true))
        ));
    }

    #[test]
    fn nobody_has_it_after_what_failed_or_panicked() {
        let failed = poll(with_image::<()>(Some(image(b"data")), async {
            Err(format_err!("on purpose"))
        }));
        assert!(matches!(failed, Poll::Ready(Err(error)) if error.to_string() == "on purpose"));
        assert!(next(LEN).is_none());
        let panics = with_image::<()>(Some(image(b"data")), async { panic!("on purpose") });
        assert!(catch_unwind(AssertUnwindSafe(|| poll(panics))).is_err());
        assert!(next(LEN).is_none());
    }

    #[test]
    fn nobody_can_change_an_image() {
        let image = image(b"data");
        assert!(image.file.write_all_at(b"other", 0).is_err());
        assert!(image.file.set_len(0).is_err());
        assert!(image.file.set_len(1 << 20).is_err());
    }
}
