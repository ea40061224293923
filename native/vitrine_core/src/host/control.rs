//! State shared by the embedder and the guest's fiber while a call is in progress.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering::Relaxed};
use std::task::Poll;

use parking_lot::Mutex;
use wasmtime::UpdateDeadline;

use crate::error::Stop;
use crate::host::protocol::{LOG_OFF, Reply, Request};
use crate::schedule::budget::Scheduler;
use crate::schedule::clock;

#[derive(Default)]
enum Mailbox {
    #[default]
    Empty,
    Request(Request),
    /// The embedder has taken the request.
    Asked,
    Reply(Reply),
}

/// The control block of a plugin's call, of which there is one at a time.
pub(crate) struct Control {
    cancelled: AtomicBool,
    deadline: AtomicU64,
    /// When the current slice began, and when it is to end.
    slice_begin: AtomicU64,
    slice_end: AtomicU64,
    /// Whether the current slice runs on a dirty scheduler, where one copy may take long.
    dirty: AtomicBool,
    /// Whether the call has an instance that is initialised.
    initialised: AtomicBool,
    /// Whether the current slice is to end, because of an epoch or because the call needs a dirty scheduler.
    slice_over: AtomicBool,
    /// Whether a guest is running whose fuel is counted.
    /// Whether the call waits until instances that were discarded are dropped.
    held_back: AtomicBool,
    metering: AtomicBool,
    log_level: AtomicI32,
    mailbox: Mutex<Mailbox>,
}

impl Control {
    pub(crate) fn new() -> Self {
        Control {
            cancelled: AtomicBool::new(false),
            deadline: AtomicU64::new(clock::NEVER),
            slice_begin: AtomicU64::new(0),
            slice_end: AtomicU64::new(0),
            dirty: AtomicBool::new(false),
            initialised: AtomicBool::new(false),
            slice_over: AtomicBool::new(false),
            held_back: AtomicBool::new(false),
            metering: AtomicBool::new(false),
            log_level: AtomicI32::new(LOG_OFF),
            mailbox: Mutex::default(),
        }
    }

    pub(crate) fn begin_call(&self, deadline: u64, log_level: i32) {
        self.deadline.store(deadline, Relaxed);
        self.log_level.store(log_level, Relaxed);
    }

    pub(crate) fn set_initialised(&self, initialised: bool) {
        self.initialised.store(initialised, Relaxed);
    }

    pub(crate) fn is_initialised(&self) -> bool {
        self.initialised.load(Relaxed)
    }

    pub(crate) fn forget_request(&self) {
        *self.mailbox.lock() = Mailbox::Empty;
    }

    pub(crate) fn begin_slice(&self, scheduler: Scheduler, begin: u64, budget: u64) {
        self.slice_begin.store(begin, Relaxed);
        self.slice_end.store(begin + budget, Relaxed);
        self.dirty.store(scheduler == Scheduler::Dirty, Relaxed);
        self.slice_over.store(false, Relaxed);
    }

    /// Whether the current slice runs on a dirty scheduler, where one step may take long.
    pub(crate) fn is_dirty(&self) -> bool {
        self.dirty.load(Relaxed)
    }

    /// Runs on the fiber: waits until the fiber runs on a dirty scheduler, where one step may take long.
    pub(crate) async fn on_dirty(&self) {
        poll_fn(|context| {
            if self.is_dirty() {
                return Poll::Ready(());
            }
            self.slice_over.store(true, Relaxed);
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    /// Notes whether the call waits until instances that were discarded are dropped.
    pub(crate) fn hold_back(&self, held_back: bool) {
        self.held_back.store(held_back, Relaxed);
    }

    pub(crate) fn is_held_back(&self) -> bool {
        self.held_back.load(Relaxed)
    }

    pub(crate) fn meter(&self, on: bool) {
        self.metering.store(on, Relaxed);
    }

    /// Whether a guest that yielded has only used up a part of its fuel, and continues in the same slice.
    pub(crate) fn goes_on(&self) -> bool {
        self.metering.load(Relaxed)
            && !self.slice_over.load(Relaxed)
            && !self.cancelled()
            && clock::now() < self.slice_end.load(Relaxed)
    }

    /// Clears the cancellation of the last call, so that the next call is not cancelled. Must run while nothing can cancel.
    pub(crate) fn forget_cancel(&self) {
        self.cancelled.store(false, Relaxed);
    }

    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Relaxed);
    }

    pub(crate) fn cancelled(&self) -> bool {
        self.cancelled.load(Relaxed)
    }

    pub(crate) fn deadline(&self) -> u64 {
        self.deadline.load(Relaxed)
    }

    pub(crate) fn log_level(&self) -> i32 {
        self.log_level.load(Relaxed)
    }

    /// Whether the call may go on.
    pub(crate) fn check(&self, now: u64) -> Result<(), Stop> {
        if self.cancelled() {
            return Err(Stop::Cancelled);
        }
        if now >= self.deadline() {
            return Err(Stop::Timeout);
        }
        Ok(())
    }

    /// Runs on the fiber when the epoch has moved.
    pub(crate) fn on_epoch(&self) -> wasmtime::Result<UpdateDeadline> {
        let now = clock::now();
        self.check(now)?;
        Ok(if now < self.slice_end.load(Relaxed) {
            UpdateDeadline::Continue(1)
        } else {
            self.slice_over.store(true, Relaxed);
            // The next slice begins here, so a call whose time has passed meanwhile ends at once.
            UpdateDeadline::Yield(0)
        })
    }

    /// Runs on the fiber: parks it until the embedder has answered `request`.
    pub(crate) async fn ask(&self, request: Request) -> Result<Reply, Stop> {
        let mut request = Some(request);
        poll_fn(move |_| {
            let mut mailbox = self.mailbox.lock();
            if let Some(request) = request.take() {
                *mailbox = Mailbox::Request(request);
                return Poll::Pending;
            }
            match std::mem::take(&mut *mailbox) {
                Mailbox::Reply(reply) => {
                    // A slice looks at the reply first, so its begin is the present time.
                    let now = self.slice_begin.load(Relaxed);
                    Poll::Ready(self.check(now).map(|()| reply))
                }
                other => {
                    *mailbox = other;
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// Takes the request of the guest, if it has one that was not taken yet.
    pub(crate) fn take_request(&self) -> Option<Request> {
        let mut mailbox = self.mailbox.lock();
        match std::mem::replace(&mut *mailbox, Mailbox::Asked) {
            Mailbox::Request(request) => Some(request),
            other => {
                *mailbox = other;
                None
            }
        }
    }

    pub(crate) fn answer(&self, reply: Reply) {
        *self.mailbox.lock() = Mailbox::Reply(reply);
    }
}
