//! Takes the place of `linux` on other systems, where Wasmtime makes its own memories, images and stacks.

use std::future::Future;
use std::io;

use wasmtime::{Config, Result};

/// Whether instances can share images of this crate.
pub(crate) const SHARES_IMAGES: bool = false;

pub(crate) fn configure(_config: &mut Config, _dense: bool) {}

/// An image of a linear memory. None can be made on this system.
#[derive(Debug, Clone)]
pub enum SharedImage {}

impl SharedImage {
    /// Fails: this system has no images.
    ///
    /// # Errors
    ///
    /// Always returns an error.
    pub fn new(_memory_len: usize, _start: usize, _bytes: &[u8]) -> io::Result<SharedImage> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// The images of the memories that an instantiation makes. There are none on this system.
#[derive(Debug, Clone, Default)]
pub struct Images(());

impl Images {
    /// No images, because none can be made.
    pub fn new(_images: impl IntoIterator<Item = (usize, SharedImage)>) -> Images {
        Images(())
    }

    /// The number of images, which is 0.
    pub fn count(&self) -> usize {
        0
    }
}

/// Makes an instance.
///
/// # Errors
///
/// Returns the errors of `make`.
pub async fn with_images<T>(_images: &Images, make: impl Future<Output = Result<T>>) -> Result<T> {
    make.await
}

/// Does nothing: memory stays resident until it is unmapped.
pub fn decommit(_bytes: &mut [u8]) {}

/// This system does not tell how many mappings there are.
pub(crate) fn count_mappings() -> Option<(u64, u64)> {
    None
}

/// The mappings of a fiber stack are not counted here.
pub(crate) fn stack_mappings() -> u64 {
    0
}
