//! What the two sides of a call share: the embedder that resumes it, and the guest's fiber.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering::Relaxed};
use std::task::Poll;

use parking_lot::Mutex;
use wasmtime::UpdateDeadline;

use crate::abi::{LOG_OFF, LogLevel};
use crate::clock;
use crate::error::Stop;
use crate::slice::Slice;
use crate::value::Value;

/// Bytes that are too many to be copied on a normal scheduler.
pub const LARGE: usize = 256 * 1024;

/// What a parked guest wants from the embedder.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// Call the host function at this index of the plugin's list.
    HostFunction {
        /// The index in [`crate::PluginOptions::host_functions`].
        index: usize,
        /// The arguments, of the types the function declares.
        args: Vec<Value>,
        /// How many results the import has.
        results: usize,
    },
    /// Log a line.
    Log {
        /// Its level.
        level: LogLevel,
        /// Its text, as the guest wrote it: not always UTF-8.
        message: Vec<u8>,
    },
}

/// The embedder's answer to a [`Request`].
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// The results; empty after a log line.
    Values(Vec<Value>),
    /// The host function failed in a way that the guest is to see: its text is set as the
    /// kernel's error, the results are zero.
    Error(Vec<u8>),
    /// The host function broke: the guest traps.
    Failed,
}

#[derive(Default)]
enum Mailbox {
    #[default]
    Empty,
    Request(Request),
    /// The embedder has taken the request.
    Asked,
    Reply(Reply),
}

/// The control block of a plugin's one call.
pub(crate) struct Control {
    cancelled: AtomicBool,
    deadline: AtomicU64,
    slice_end: AtomicU64,
    /// Whether the slice that runs may take long over one copy.
    dirty: AtomicBool,
    log_level: AtomicI32,
    mailbox: Mutex<Mailbox>,
}

impl Control {
    pub(crate) fn new() -> Self {
        Control {
            cancelled: AtomicBool::new(false),
            deadline: AtomicU64::new(clock::NEVER),
            slice_end: AtomicU64::new(0),
            dirty: AtomicBool::new(false),
            log_level: AtomicI32::new(LOG_OFF),
            mailbox: Mutex::default(),
        }
    }

    pub(crate) fn begin_call(&self, deadline: u64, log_level: i32) {
        self.cancelled.store(false, Relaxed);
        self.deadline.store(deadline, Relaxed);
        self.log_level.store(log_level, Relaxed);
        *self.mailbox.lock() = Mailbox::Empty;
    }

    pub(crate) fn begin_slice(&self, slice: Slice, end: u64) {
        self.slice_end.store(end, Relaxed);
        self.dirty.store(slice == Slice::Dirty, Relaxed);
    }

    /// Runs on the fiber, before it copies `length` bytes: what is too much for a normal
    /// scheduler waits for a dirty one.
    pub(crate) async fn before_copy(&self, length: usize) {
        poll_fn(|context| {
            if length <= LARGE || self.dirty.load(Relaxed) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Relaxed);
    }

    pub(crate) fn deadline(&self) -> u64 {
        self.deadline.load(Relaxed)
    }

    pub(crate) fn log_level(&self) -> i32 {
        self.log_level.load(Relaxed)
    }

    /// Whether the call may go on.
    pub(crate) fn check(&self, now: u64) -> Result<(), Stop> {
        if self.cancelled.load(Relaxed) {
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
            UpdateDeadline::Yield(1)
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
                Mailbox::Reply(reply) => Poll::Ready(self.check(clock::now()).map(|()| reply)),
                other => {
                    *mailbox = other;
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// What the guest asks for, once.
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
