//! The thread that drops values that take long to drop. Unmapping a guest's memory can take milliseconds, and the resource
//! that holds it is collected on whichever scheduler happens to collect garbage.

use std::any::Any;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock};
use std::task::Waker;

use crossbeam_channel::{Sender, unbounded};
use parking_lot::Mutex;

/// The most instances of a module that may wait to be dropped before new ones are held back. Each may have as much memory as
/// its limit allows.
const MOST: usize = 8;

/// The instances of one module that wait to be dropped. A caller that keeps discarding instances of this module is held back;
/// other modules are not.
#[derive(Default)]
pub(crate) struct Backlog(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    items: usize,
    /// Calls that are held back.
    held: Vec<Waker>,
}

impl Backlog {
    /// Whether another instance may be made now. If not, `waker` is called as soon as one may.
    pub(crate) fn admits(&self, waker: &Waker) -> bool {
        let mut waiting = self.0.lock();
        let admits = waiting.items <= MOST;
        if !admits {
            waiting.held.push(waker.clone());
        }
        admits
    }

    fn dropped(&self) {
        let mut waiting = self.0.lock();
        waiting.items -= 1;
        if waiting.items <= MOST {
            let held = std::mem::take(&mut waiting.held);
            drop(waiting);
            held.into_iter().for_each(Waker::wake);
        }
    }
}

/// A value to be dropped. It counts in its backlog until then.
struct Item {
    value: Option<Box<dyn Any + Send>>,
    backlog: Option<Arc<Backlog>>,
}

impl Item {
    fn new(value: impl Any + Send, backlog: Option<Arc<Backlog>>) -> Item {
        if let Some(backlog) = &backlog {
            backlog.0.lock().items += 1;
        }
        Item {
            value: Some(Box::new(value)),
            backlog,
        }
    }
}

impl Drop for Item {
    fn drop(&mut self) {
        let value = self.value.take();
        // A value that panics while it is dropped does not end the reaper.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(value)));
        if let Some(backlog) = &self.backlog {
            backlog.dropped();
        }
    }
}

static REAPER: LazyLock<Option<Sender<Item>>> = LazyLock::new(|| {
    let (queue, items) = unbounded::<Item>();
    std::thread::Builder::new()
        .name("vitrine-reaper".into())
        .spawn(move || items.into_iter().for_each(drop))
        .ok()
        .map(|_| queue)
});

/// Drops `item` on the reaper's thread, or here if there is no such thread.
pub(crate) fn reap(item: impl Any + Send, backlog: Option<Arc<Backlog>>) {
    let item = Item::new(item, backlog);
    if let Some(queue) = &*REAPER {
        let _ = queue.send(item);
    }
}

/// A value that the reaper drops, wherever its owner is dropped.
pub struct Reaped<T: Send + 'static> {
    value: ManuallyDrop<T>,
    backlog: Option<Arc<Backlog>>,
}

impl<T: Send + 'static> Reaped<T> {
    /// Wraps a value.
    pub fn new(value: T) -> Self {
        Reaped {
            value: ManuallyDrop::new(value),
            backlog: None,
        }
    }

    /// Wraps a value that counts in `backlog` while it waits to be dropped.
    pub(crate) fn counted(value: T, backlog: Arc<Backlog>) -> Self {
        Reaped {
            value: ManuallyDrop::new(value),
            backlog: Some(backlog),
        }
    }
}

impl<T: Send + 'static> Drop for Reaped<T> {
    fn drop(&mut self) {
        // SAFETY: its owner is being dropped, so the value is not used again.
        #[allow(unsafe_code)]
        let value = unsafe { ManuallyDrop::take(&mut self.value) };
        reap(value, self.backlog.take());
    }
}

impl<T: Send + 'static> Deref for Reaped<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: Send + 'static> DerefMut for Reaped<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use std::sync::mpsc;
    use std::task::Wake;
    use std::time::Duration;

    const LONG: Duration = Duration::from_secs(30);

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, SeqCst);
        }
    }

    /// Holds the reaper until the other end is gone.
    struct Slow(mpsc::Receiver<()>);

    impl Drop for Slow {
        fn drop(&mut self) {
            let _ = self.0.recv_timeout(LONG);
        }
    }

    struct Bad;

    impl Drop for Bad {
        fn drop(&mut self) {
            panic!("on purpose");
        }
    }

    /// Waits until everything that was given before is dropped.
    fn settle() {
        struct Tell(mpsc::Sender<()>);
        impl Drop for Tell {
            fn drop(&mut self) {
                let _ = self.0.send(());
            }
        }
        let (tell, told) = mpsc::channel();
        reap(Tell(tell), None);
        told.recv_timeout(LONG).unwrap();
    }

    #[test]
    fn module_with_a_full_backlog_is_held_back_and_woken_and_other_modules_are_not() {
        let (own, other) = (Arc::<Backlog>::default(), Arc::<Backlog>::default());
        let count = Arc::<Count>::default();
        let waker = Waker::from(count.clone());
        let (end, slow) = mpsc::channel();
        reap(Slow(slow), None);
        for _ in 0..=MOST {
            assert!(own.admits(&waker));
            drop(Reaped::counted((), own.clone()));
        }
        assert!(!own.admits(&waker));
        assert!(other.admits(&waker));
        assert_eq!(count.0.load(SeqCst), 0);
        drop(end);
        settle();
        assert_eq!(count.0.load(SeqCst), 1);
        assert!(own.admits(&waker));
    }

    #[test]
    fn panic_of_a_dropped_value_neither_ends_the_reaper_nor_keeps_the_backlog_full() {
        let backlog = Arc::<Backlog>::default();
        for _ in 0..=2 * MOST {
            drop(Reaped::counted(Bad, backlog.clone()));
        }
        settle();
        assert!(backlog.admits(Waker::noop()));
    }
}
