//! The thread that moves the engines' epochs, which interrupts guests.
//!
//! It ticks while guests run or wait for a scheduler. When none has for a while, it sleeps, so an idle node has no wake-ups.
//! Beginning a slice costs two atomic operations, and a wake-up only if the ticker sleeps.

use std::sync::atomic::{
    AtomicBool, AtomicU64,
    Ordering::{Relaxed, SeqCst},
};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use parking_lot::Mutex;
use wasmtime::Engine;

use crate::error::{Error, Reason};
use crate::schedule::{run_queue, short_slice};

/// The time between two ticks while a guest runs.
pub(crate) const TICK: Duration = Duration::from_micros(500);

/// The number of ticks without a guest before the thread goes to sleep. A wake-up costs more than some ticks.
const LINGER: u32 = 40;

/// One slice in each half of [`Shared::slices`]. The count of slices that ever began may wrap.
const RUNNING: u64 = 1;
const BEGUN: u64 = 1 << 32;

pub(crate) struct Ticker {
    shared: Arc<Shared>,
    wake: Sender<()>,
}

struct Shared {
    /// In the low half, the number of slices that are running now. In the high half, the number of slices that ever began,
    /// which tells the ticker that something ran between two ticks.
    slices: AtomicU64,
    /// The number of ticks so far.
    ticks: AtomicU64,
    asleep: AtomicBool,
    engines: Mutex<Vec<Engine>>,
}

static TICKER: LazyLock<Result<Ticker, String>> =
    LazyLock::new(|| Ticker::start().map_err(|e| e.to_string()));

/// The ticker. It fails to start only if no thread can be made.
pub(crate) fn ticker() -> Result<&'static Ticker, Error> {
    TICKER.as_ref().map_err(|message| {
        Error::new(
            Reason::Compile,
            format!("the thread that interrupts plugins cannot start: {message}"),
        )
    })
}

impl Ticker {
    fn start() -> std::io::Result<Ticker> {
        let (wake, woken) = bounded(1);
        let shared = Arc::new(Shared {
            slices: AtomicU64::new(0),
            ticks: AtomicU64::new(0),
            asleep: AtomicBool::new(false),
            engines: Mutex::default(),
        });
        let seen = shared.clone();
        std::thread::Builder::new()
            .name("vitrine-ticker".into())
            .spawn(move || {
                short_slice::shorten();
                tick(&seen, &woken);
            })?;
        Ok(Ticker { shared, wake })
    }

    /// From now on, moves the epoch of this engine, too.
    pub(crate) fn tick_for(&self, engine: Engine) {
        self.shared.engines.lock().push(engine);
    }

    /// Keeps the epochs moving until the guard is dropped.
    pub(crate) fn running(&self) -> Running<'_> {
        self.shared.slices.fetch_add(BEGUN + RUNNING, SeqCst);
        if self.shared.asleep.load(SeqCst) {
            // If the channel is full, another thread has woken the ticker.
            let _ = self.wake.try_send(());
        }
        Running {
            shared: &self.shared,
            since: self.shared.ticks.load(Relaxed),
        }
    }
}

pub(crate) struct Running<'a> {
    shared: &'a Shared,
    since: u64,
}

impl Running<'_> {
    /// The time since this guard was made, in ticks: zero for most slices, and right on average. This is much cheaper than
    /// reading the clock.
    pub(crate) fn elapsed(&self) -> Duration {
        let ticks = self.shared.ticks.load(Relaxed) - self.since;
        TICK * u32::try_from(ticks).unwrap_or(u32::MAX)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.shared.slices.fetch_sub(RUNNING, SeqCst);
    }
}

fn tick(shared: &Shared, woken: &Receiver<()>) {
    let (mut idle, mut seen) = (0, 0);
    loop {
        std::thread::sleep(TICK);
        for engine in shared.engines.lock().iter() {
            engine.increment_epoch();
        }
        shared.ticks.fetch_add(1, Relaxed);
        let slices = shared.slices.load(SeqCst);
        let (running, begun) = (slices & (BEGUN - 1), slices / BEGUN);
        let wanted = run_queue::reclaim();
        if running > 0 || wanted || begun != seen {
            (idle, seen) = (0, begun);
            continue;
        }
        idle += 1;
        if idle < LINGER {
            continue;
        }
        idle = 0;
        shared.asleep.store(true, SeqCst);
        // A slice may have begun without seeing the flag. It is seen here.
        if shared.slices.load(SeqCst) / BEGUN == seen && woken.recv().is_err() {
            return;
        }
        shared.asleep.store(false, SeqCst);
    }
}
