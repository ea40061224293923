//! Hands images to the memories that Wasmtime makes for an instance.
//!
//! Wasmtime does not tell a [`wasmtime::MemoryCreator`] which memory of which module it makes. But it makes the
//! memories of a module one after the other, in the order in which the module defines them. So [`Images`] name each
//! memory by its place in that order, and an instantiation counts the memories that are made while it is polled.
//! With several modules in one instantiation, as in a component, the places go on from one module to the next.
//!
//! Memories without bytes are not counted. They have no contents, and the heap of the garbage collector is one of them:
//! it begins without bytes ([`crate::configure`] sees to that) and may be made at any time.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;

use wasmtime::{Result, format_err};

use super::reuse::shared_image::SharedImage;

/// The images of the memories that an instantiation makes.
#[derive(Debug, Clone, Default)]
pub struct Images(Arc<[(usize, SharedImage)]>);

impl Images {
    /// Images with the places of their memories among the memories that are made and have bytes. Place 0 is the first
    /// memory that the module defines itself. No two images have the same place.
    pub fn new(images: impl IntoIterator<Item = (usize, SharedImage)>) -> Images {
        let mut images: Vec<_> = images.into_iter().collect();
        images.sort_by_key(|(place, _)| *place);
        Images(images.into())
    }

    /// The number of images.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

/// The progress of an instantiation.
struct Handover {
    images: Images,
    /// The number of memories that were made and have bytes.
    made: usize,
    /// The number of images that were handed over.
    handed: usize,
}

thread_local! {
    /// The handover of the instantiation that is polled on this thread, if it has images.
    static CURRENT: RefCell<Option<Handover>> = const { RefCell::new(None) };
}

impl Handover {
    fn new(images: &Images) -> Option<Handover> {
        (images.count() > 0).then(|| Handover {
            images: images.clone(),
            made: 0,
            handed: 0,
        })
    }

    fn next(&mut self, len: usize) -> Result<Option<SharedImage>, String> {
        let place = self.made;
        self.made += 1;
        let next = self.images.0.get(self.handed);
        let Some((_, image)) = next.filter(|(of, _)| *of == place) else {
            return Ok(None);
        };
        let wanted = image.image().memory_len();
        if wanted != len {
            return Err(format!(
                "memory {place} has {len} bytes, and its image is of one with {wanted} bytes"
            ));
        }
        self.handed += 1;
        Ok(Some(image.clone()))
    }

    fn is_done(&self) -> bool {
        self.handed == self.images.count()
    }
}

/// Makes an instance whose memories begin with these images.
///
/// # Errors
///
/// Returns the errors of `make`. Also returns an error if the length of a memory is not the one that its image is for,
/// or if there are more images than memories that were made.
pub async fn with_images<T>(images: &Images, make: impl Future<Output = Result<T>>) -> Result<T> {
    let mut own = Handover::new(images);
    let mut make = pin!(make);
    let made = poll_fn(|context| {
        let _turn = Turn::begin(&mut own);
        make.as_mut().poll(context)
    })
    .await?;
    match own {
        Some(handover) if !handover.is_done() => {
            Err(format_err!("the instance has no memory for its data"))
        }
        _ => Ok(made),
    }
}

/// The image for the memory of `len` bytes that is made now.
///
/// # Errors
///
/// Returns an error if the image for this memory is of a memory with another length.
pub(super) fn next(len: usize) -> Result<Option<SharedImage>, String> {
    if len == 0 {
        return Ok(None);
    }
    CURRENT.with_borrow_mut(|current| match current {
        Some(handover) => handover.next(len),
        None => Ok(None),
    })
}

/// The time in which an instantiation is polled. Another instantiation may be polled within it, and either may panic.
struct Turn<'a> {
    own: &'a mut Option<Handover>,
    before: Option<Handover>,
}

impl<'a> Turn<'a> {
    fn begin(own: &'a mut Option<Handover>) -> Turn<'a> {
        let before = CURRENT.replace(own.take());
        Turn { own, before }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.own = CURRENT.replace(self.before.take());
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::task::{Context, Poll, Waker};

    use super::*;

    const LEN: usize = 65_536;

    fn image(bytes: &[u8]) -> SharedImage {
        SharedImage::new(LEN, 0, bytes).unwrap()
    }

    fn first(image: &SharedImage) -> Images {
        Images::new([(0, image.clone())])
    }

    fn is_next(image: &SharedImage) -> bool {
        let next = next(LEN).unwrap();
        next.is_some_and(|next| next.image().id() == image.image().id())
    }

    fn nothing_is_next() -> bool {
        next(LEN).unwrap().is_none()
    }

    fn poll<T>(make: impl Future<Output = T>) -> Poll<T> {
        pin!(make).poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn each_image_goes_to_the_memory_at_its_place_though_all_have_the_same_length() {
        let (one, other) = (image(b"one"), image(b"other"));
        let images = Images::new([(3, other.clone()), (1, one.clone())]);
        let made = poll(with_images(&images, async {
            let before = nothing_is_next();
            let first = is_next(&one);
            Ok([
                before,
                first,
                nothing_is_next(),
                is_next(&other),
                nothing_is_next(),
            ])
        }));
        assert!(matches!(
            made,
            Poll::Ready(Ok([true, true, true, true, true]))
        ));
    }

    #[test]
    fn memories_without_bytes_are_not_counted() {
        let image = image(b"data");
        let made = poll(with_images(&first(&image), async {
            Ok((next(0).unwrap().is_none(), is_next(&image)))
        }));
        assert!(matches!(made, Poll::Ready(Ok((true, true)))));
    }

    #[test]
    fn a_memory_of_another_length_is_refused_and_so_is_the_instance() {
        let mut refused = false;
        let made = poll(with_images(&first(&image(b"data")), async {
            refused = next(2 * LEN).is_err();
            Ok(())
        }));
        assert!(refused);
        assert!(matches!(made, Poll::Ready(Err(_))));
    }

    #[test]
    fn an_instance_without_the_memory_for_its_image_is_refused() {
        let made = poll(with_images(&first(&image(b"data")), async { Ok(()) }));
        assert!(matches!(made, Poll::Ready(Err(_))));
        assert!(nothing_is_next());
    }

    #[test]
    fn instantiations_within_each_other_have_their_own_images() {
        let (outer, inner) = (image(b"outer"), image(b"inner"));
        let made = poll(with_images(&first(&outer), async {
            let own = with_images(&first(&inner), async { Ok(is_next(&inner)) }).await?;
            let none = with_images(&Images::default(), async { Ok(nothing_is_next()) }).await?;
            Ok((own, none, is_next(&outer)))
        }));
        assert!(matches!(made, Poll::Ready(Ok((true, true, true)))));
    }

    #[test]
    fn no_other_instantiation_has_the_images_between_two_polls() {
        let (image, mut polled) = (image(b"data"), false);
        let images = first(&image);
        let mut made = pin!(with_images(
            &images,
            poll_fn(|_| match std::mem::replace(&mut polled, true) {
                false => Poll::Pending,
                true => Poll::Ready(Ok(is_next(&image))),
            })
        ));
        let mut context = Context::from_waker(Waker::noop());
        assert!(made.as_mut().poll(&mut context).is_pending());
        assert!(nothing_is_next());
        assert!(matches!(
            made.as_mut().poll(&mut context),
            Poll::Ready(Ok(true))
        ));
    }

    #[test]
    fn no_images_are_left_after_an_instantiation_that_failed_or_panicked() {
        let images = first(&image(b"data"));
        let failed = poll(with_images::<()>(&images, async {
            Err(format_err!("on purpose"))
        }));
        assert!(matches!(failed, Poll::Ready(Err(error)) if error.to_string() == "on purpose"));
        assert!(nothing_is_next());
        let panics = with_images::<()>(&images, async { panic!("on purpose") });
        assert!(catch_unwind(AssertUnwindSafe(|| poll(panics))).is_err());
        assert!(nothing_is_next());
    }
}
