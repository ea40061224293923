//! Drops what is expensive to drop: unmapping a guest's memory can take milliseconds, and what
//! holds it is collected on whichever scheduler happens to collect garbage.

use std::any::Any;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use crossbeam_channel::{Sender, unbounded};

/// Instances that may wait to be dropped before new ones are held back: each may have as much
/// memory as its limit allows.
const BACKLOG: usize = 8;

static WAITING: AtomicUsize = AtomicUsize::new(0);

static REAPER: LazyLock<Option<Sender<Box<dyn Any + Send>>>> = LazyLock::new(|| {
    let (bin, rubbish) = unbounded::<Box<dyn Any + Send>>();
    std::thread::Builder::new()
        .name("vitrine-reaper".into())
        .spawn(move || {
            for item in rubbish {
                drop(item);
                WAITING.fetch_sub(1, SeqCst);
            }
        })
        .ok()
        .map(|_| bin)
});

/// Drops `item` on the reaper's thread.
pub(crate) fn reap(item: impl Any + Send) {
    if let Some(bin) = &*REAPER {
        WAITING.fetch_add(1, SeqCst);
        // The reaper never ends; were it gone, the item would be dropped here.
        let _ = bin.send(Box::new(item));
    }
}

/// Waits while too much is to be dropped, so that instances made and lost in a loop cannot pile
/// up. Only for threads that may block.
pub(crate) fn hold_back() {
    while WAITING.load(SeqCst) > BACKLOG {
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// A value that is dropped by the reaper, wherever its owner is dropped.
pub struct Reaped<T: Send + 'static>(ManuallyDrop<T>);

impl<T: Send + 'static> Reaped<T> {
    /// Wraps a value.
    pub fn new(value: T) -> Self {
        Reaped(ManuallyDrop::new(value))
    }
}

impl<T: Send + 'static> Drop for Reaped<T> {
    fn drop(&mut self) {
        // SAFETY: this is the drop of its owner, so the value is not used again.
        reap(unsafe { ManuallyDrop::take(&mut self.0) });
    }
}

impl<T: Send + 'static> Deref for Reaped<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Send + 'static> DerefMut for Reaped<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}
