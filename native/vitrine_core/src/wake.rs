//! Tells a slice that is over from a future that waits, and wakes the caller of one that waits.
//!
//! A waker called while its future is polled means "again, please": Wasmtime yields at an epoch
//! that way. One that is called later means that what the future waited for has come, and the
//! embedder is notified.

use std::sync::Arc;
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

/// The waker of one call.
#[derive(Default)]
pub(crate) struct CallWaker(Mutex<State>);

impl CallWaker {
    /// Forgets what was. Once this returns no notification is under way.
    pub(crate) fn clear(&self) {
        *self.0.lock() = State::Quiet;
    }

    pub(crate) fn woken(&self) -> bool {
        matches!(*self.0.lock(), State::Woken)
    }

    /// Asks for `notify` when the waker is called. False if it has been called already.
    pub(crate) fn arm(&self, notify: Notify) -> bool {
        let mut state = self.0.lock();
        if matches!(*state, State::Woken) {
            return false;
        }
        *state = State::Armed(notify);
        true
    }
}

impl Wake for CallWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut state = self.0.lock();
        let before = std::mem::replace(&mut *state, State::Woken);
        if let State::Armed(notify) = before {
            // Under the lock, which is what makes the promise of `clear` true.
            notify();
        }
    }
}
