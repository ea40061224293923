//! Regions that were reset and wait for the next memories. To map and unmap a region takes the system longer than
//! everything else that makes an instance.

use std::io;
use std::mem::replace;

use parking_lot::Mutex;

use super::region::Region;
use super::resident_pool::ResidentPool;
use crate::system::pages::image::{Image, ImageId};

/// Regions of zeros, for any memory.
static BLANK: Mutex<ResidentPool<Region>> = Mutex::new(ResidentPool::new());

/// Regions that begin with an image. Only a memory with the same image can use them.
static WITH_IMAGES: Mutex<ResidentPool<(ImageId, Region)>> = Mutex::new(ResidentPool::new());

/// A region of zeros: one from the pool, or a new one.
pub(crate) fn take_blank(accessible: usize, reserved: usize, guard: usize) -> io::Result<Region> {
    let kept = BLANK
        .lock()
        .take(|region| region.accessible() == accessible);
    let mut region = match kept {
        Some(region) if region.layout() == (reserved, guard) => region,
        _ => map(reserved, guard)?,
    };
    region.make_accessible(accessible)?;
    Ok(region)
}

/// A region that begins with an image: one from the pool, or a new one.
pub(crate) fn take_with(
    image: &Image,
    accessible: usize,
    reserved: usize,
    guard: usize,
) -> io::Result<Region> {
    let kept = WITH_IMAGES
        .lock()
        .take_fitting(|(id, region)| *id == image.id() && region.layout() == (reserved, guard));
    if let Some((_, region)) = kept {
        return Ok(region);
    }
    let mut region = map(reserved, guard)?;
    region.make_accessible(accessible)?;
    region.begin_with(image)?;
    Ok(region)
}

fn map(reserved: usize, guard: usize) -> io::Result<Region> {
    Region::map(reserved, guard).or_else(|_| {
        // In a process with few addresses, the pool may have all of them.
        let blank = replace(&mut *BLANK.lock(), ResidentPool::new());
        let with_images = replace(&mut *WITH_IMAGES.lock(), ResidentPool::new());
        drop((blank, with_images));
        Region::map(reserved, guard)
    })
}

/// Returns a region to the pool. The region was reset and has so many pages. It is dropped if there is no room, but a
/// region with an image displaces older ones.
pub(crate) fn put_back(region: Region, pages: usize, image: Option<&Image>) {
    // Regions that are not kept are unmapped when the lock is released.
    match image {
        None => {
            let refused = BLANK.lock().keep(region, pages);
            drop(refused);
        }
        Some(image) => {
            let displaced = WITH_IMAGES.lock().keep_newest((image.id(), region), pages);
            drop(displaced);
        }
    }
}

/// Drops the regions that begin with this image.
pub(super) fn drop_regions_with(image: ImageId) {
    let mut pool = WITH_IMAGES.lock();
    let mut taken = Vec::new();
    while let Some(region) = pool.take_fitting(|(id, _)| *id == image) {
        taken.push(region);
    }
    // The regions are unmapped when the lock is released.
    drop(pool);
    drop(taken);
}

/// Takes a region that begins with this image out of the pool.
#[cfg(test)]
pub(crate) fn take_kept(image: ImageId) -> Option<Region> {
    let kept = WITH_IMAGES.lock().take_fitting(|(id, _)| *id == image);
    kept.map(|(_, region)| region)
}
