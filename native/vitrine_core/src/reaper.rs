//! Drops what is expensive to drop: unmapping a guest's memory can take milliseconds, and what
//! holds it is collected on whichever scheduler happens to collect garbage.

use std::any::Any;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use crossbeam_channel::{Sender, unbounded};

/// Instances that may wait to be dropped before new ones are held back.
const BACKLOG: usize = 64;

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
