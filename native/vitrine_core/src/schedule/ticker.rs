//! The thread that moves the engines' epochs, which is what interrupts guests.
//!
//! It ticks while guests run, or wait for a scheduler, and sleeps when none has for a while, so that an idle node has no
//! wake-ups. A slice that begins costs two atomic operations, and a wake-up only when the ticker
//! had gone to sleep.

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
use crate::schedule::run_queue;

/// How often the epochs move while a guest runs.
pub(crate) const TICK: Duration = Duration::from_micros(500);

/// Ticks without a guest before the thread goes to sleep: a wake-up costs more than some ticks.
const LINGER: u32 = 40;

/// One slice in each half of [`Shared::slices`]. The count of those that ever began may wrap.
const RUNNING: u64 = 1;
const BEGUN: u64 = 1 << 32;

pub(crate) struct Ticker {
    shared: Arc<Shared>,
    wake: Sender<()>,
}

struct Shared {
    /// Slices that are running now, in the low half; in the high half those that ever began, which
    /// tells the ticker that something ran between two ticks.
    slices: AtomicU64,
    /// How often the epochs have moved.
    ticks: AtomicU64,
    asleep: AtomicBool,
    engines: Mutex<Vec<Engine>>,
}

static TICKER: LazyLock<Result<Ticker, String>> =
    LazyLock::new(|| Ticker::start().map_err(|e| e.to_string()));

/// The ticker. It is missing only where no thread can be made.
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
            .spawn(move || tick(&seen, &woken))?;
        Ok(Ticker { shared, wake })
    }

    /// Moves the epoch of this engine, too, from now on.
    pub(crate) fn tick_for(&self, engine: Engine) {
        self.shared.engines.lock().push(engine);
    }

    /// Keeps the epochs moving until the guard is dropped.
    pub(crate) fn running(&self) -> Running<'_> {
        self.shared.slices.fetch_add(BEGUN + RUNNING, SeqCst);
        if self.shared.asleep.load(SeqCst) {
            // A full channel means that somebody else has woken it.
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
    /// How long it has been, by the ticks since: nothing for most, and right on average. Much
    /// cheaper than to read the clock.
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
        // A slice that began before it could see the flag is seen here instead.
        if shared.slices.load(SeqCst) / BEGUN == seen && woken.recv().is_err() {
            return;
        }
        shared.asleep.store(false, SeqCst);
    }
}
