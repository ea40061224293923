//! Tells a slice that is over from a future that waits, and wakes the caller of one that waits.
//!
//! A waker called while its future is polled means "again, please": Wasmtime yields at an epoch
//! that way. One that is called later means that what the future waited for has come, and the
//! embedder is notified.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::task::Wake;

use parking_lot::Mutex;

/// Called once, from any thread, when a waiting call can go on.
pub type Notify = Box<dyn FnOnce() + Send>;

#[derive(Default)]
enum State {
    /// Nothing to tell yet.
    #[default]
    Quiet,
    /// Woken since the last poll began.
    Woken,
    /// Waiting: the embedder wants to hear.
    Armed(Notify),
}

/// The waker of a plugin's calls, one at a time.
#[derive(Default)]
pub(crate) struct CallWaker {
    state: Mutex<State>,
    /// Whether the state is anything but quiet, which it hardly ever is.
    stirred: AtomicBool,
}

impl CallWaker {
    /// Forgets what was. Once this returns no notification is under way.
    pub(crate) fn clear(&self) {
        if self.stirred.load(SeqCst) {
            let mut state = self.state.lock();
            *state = State::Quiet;
            self.stirred.store(false, SeqCst);
        }
    }

    pub(crate) fn woken(&self) -> bool {
        self.stirred.load(SeqCst) && matches!(*self.state.lock(), State::Woken)
    }

    /// Asks for `notify` when the waker is called. False if it has been called already.
    pub(crate) fn arm(&self, notify: Notify) -> bool {
        let mut state = self.state.lock();
        if matches!(*state, State::Woken) {
            return false;
        }
        self.stirred.store(true, SeqCst);
        *state = State::Armed(notify);
        true
    }
}

impl Wake for CallWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut state = self.state.lock();
        self.stirred.store(true, SeqCst);
        let before = std::mem::replace(&mut *state, State::Woken);
        if let State::Armed(notify) = before {
            // Under the lock, which is what makes the promise of `clear` true.
            notify();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    fn counting(count: &Arc<AtomicUsize>) -> Notify {
        let count = count.clone();
        Box::new(move || {
            count.fetch_add(1, SeqCst);
        })
    }

    #[test]
    fn an_armed_waker_notifies_once() {
        let (waker, count) = (Arc::new(CallWaker::default()), Arc::default());
        assert!(waker.arm(counting(&count)));
        waker.wake_by_ref();
        waker.wake_by_ref();
        assert_eq!(count.load(SeqCst), 1);
        assert!(waker.woken());
    }

    #[test]
    fn one_that_was_woken_cannot_be_armed_until_it_is_cleared() {
        let (waker, count) = (Arc::new(CallWaker::default()), Arc::default());
        waker.wake_by_ref();
        assert!(!waker.arm(counting(&count)));
        waker.clear();
        assert!(!waker.woken());
        assert!(waker.arm(counting(&count)));
        waker.clear();
        waker.wake_by_ref();
        assert_eq!(count.load(SeqCst), 0);
    }
}
