//! An image that instances of a module share.

use std::io;
use std::sync::Arc;

use super::region_pool;
use crate::system::pages::image::Image;

/// The bytes that a linear memory begins with. Memories with the same image share its pages until they write to them.
///
/// A clone is the same image. When the last clone is dropped, the regions that were kept for the image are dropped,
/// too.
#[derive(Debug, Clone)]
pub struct SharedImage(Arc<Shared>);

#[derive(Debug)]
struct Shared(Image);

impl SharedImage {
    /// The image of a memory of `memory_len` bytes, which has `bytes` at `start` and zeros around them.
    ///
    /// # Errors
    ///
    /// Returns an error if the system refuses a file or the memory for it, and if the bytes do not fit into the memory.
    pub fn new(memory_len: usize, start: usize, bytes: &[u8]) -> io::Result<SharedImage> {
        let image = Image::new(memory_len, start, bytes)?;
        Ok(SharedImage(Arc::new(Shared(image))))
    }

    pub(crate) fn image(&self) -> &Image {
        &self.0.0
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // No memory will begin with the image again.
        region_pool::drop_regions_with(self.0.id());
    }
}
