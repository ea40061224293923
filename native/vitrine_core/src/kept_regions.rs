//! Regions that are kept for the next memories, as they began, with the pages that they have: mapping and
//! unmapping takes the system longer than all else that makes an instance.

use std::io;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::memory_image::MemoryImage;
use crate::region::Region;
use crate::warm::Warm;

static KEPT: Mutex<Warm<Region>> = Mutex::new(Warm::new());

/// Those that began with an image, which only another memory with that image can use.
static WITH_IMAGES: Mutex<Warm<(Weak<MemoryImage>, Region)>> = Mutex::new(Warm::new());

/// A region of zeros: one that was kept, or a new one.
pub(crate) fn blank(accessible: usize, reserved: usize, guard: usize) -> io::Result<Region> {
    let kept = KEPT.lock().take(|region| region.accessible() == accessible);
    let mut region = match kept {
        Some(region) if region.layout() == (reserved, guard) => region,
        _ => new(reserved, guard)?,
    };
    region.make_accessible(accessible)?;
    Ok(region)
}

/// A region that begins with an image: one that was kept, or a new one.
pub(crate) fn begun(
    image: &Arc<MemoryImage>,
    accessible: usize,
    reserved: usize,
    guard: usize,
) -> io::Result<Region> {
    let kept = WITH_IMAGES.lock().take_fitting(|(of, region)| {
        of.as_ptr() == Arc::as_ptr(image) && region.layout() == (reserved, guard)
    });
    if let Some((_, region)) = kept {
        return Ok(region);
    }
    let mut region = new(reserved, guard)?;
    region.make_accessible(accessible)?;
    region.begin_with(image)?;
    Ok(region)
}

fn new(reserved: usize, guard: usize) -> io::Result<Region> {
    Region::map(reserved, guard).or_else(|_| {
        // Those that are kept may have all the addresses that there are, where the process is given few.
        let kept = std::mem::replace(&mut *KEPT.lock(), Warm::new());
        let with_images = std::mem::replace(&mut *WITH_IMAGES.lock(), Warm::new());
        drop((kept, with_images));
        Region::map(reserved, guard)
    })
}

/// Keeps a region that was wiped and has so many pages, if there is room. For one with an image, those that
/// were kept first make room.
pub(crate) fn keep(region: Region, pages: usize, image: Option<&Arc<MemoryImage>>) {
    // What is too much is unmapped, without the lock.
    match image {
        None => {
            let kept = KEPT.lock().keep(region, pages);
            drop(kept);
        }
        Some(image) => {
            let item = (Arc::downgrade(image), region);
            let rest = WITH_IMAGES.lock().keep_newest(item, pages);
            drop(rest);
        }
    }
}

/// Gives back what was kept for images that are no more.
pub(crate) fn forget_images() {
    let mut kept = WITH_IMAGES.lock();
    let mut forgotten = Vec::new();
    while let Some(with_image) = kept.take_fitting(|(image, _)| image.strong_count() == 0) {
        forgotten.push(with_image);
    }
    // They are unmapped without the lock.
    drop(kept);
    drop(forgotten);
}

/// One that began with this image, which may be no more.
#[cfg(test)]
pub(crate) fn take_of(image: &Weak<MemoryImage>) -> Option<Region> {
    let kept = WITH_IMAGES.lock().take_fitting(|(of, _)| of.ptr_eq(image));
    kept.map(|(_, region)| region)
}
