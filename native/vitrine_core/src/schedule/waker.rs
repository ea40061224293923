//! The waker of a call. It tells a slice that is over from a future that waits, and notifies the embedder of a waiting call.
//!
//! If the waker is called while its future is polled, the future wants to be polled again: Wasmtime yields at an epoch that
//! way. If it is called later, the event that the future waits for has happened, and the embedder is notified.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::task::Wake;

use parking_lot::Mutex;

/// Called once, from any thread, when a waiting call can go on.
pub type Notify = Box<dyn FnOnce() + Send>;

#[derive(Default)]
enum State {
    /// The waker has not been called.
    #[default]
    Quiet,
    /// The waker has been called since the last poll began.
    Woken,
    /// The call waits, and the embedder is to be notified.
    Armed(Notify),
}

/// The waker of a plugin's calls, of which there is one at a time.
#[derive(Default)]
pub(crate) struct CallWaker {
    state: Mutex<State>,
    /// Whether the state is other than `Quiet`, which is rare.
    stirred: AtomicBool,
}

impl CallWaker {
    /// Resets the waker. Once this returns, no notification is under way.
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

    /// Has `notify` called when the waker is called. False if the waker has been called already.
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
            // The lock is held, so that `clear` waits for a notification that is under way.
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
    fn armed_waker_notifies_once() {
        let (waker, count) = (Arc::new(CallWaker::default()), Arc::default());
        assert!(waker.arm(counting(&count)));
        waker.wake_by_ref();
        waker.wake_by_ref();
        assert_eq!(count.load(SeqCst), 1);
        assert!(waker.woken());
    }

    #[test]
    fn waker_that_was_called_cannot_be_armed_until_it_is_cleared() {
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
