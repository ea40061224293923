//! Gives back what a large call leaves in the kernel's memory, once the plugin has made no other for
//! a while: a plugin whose calls are all large would otherwise pay for its pages with each call.
//!
//! One thread does it for all plugins, a little at a time, because a call that comes meanwhile waits.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, LazyLock, Weak};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};

use crate::instance::Instance;
use crate::plugin::Plugin;

/// How long a plugin makes no large call before its memory is trimmed.
const IDLE: Duration = Duration::from_secs(1);

/// What the thread knows of a plugin.
#[derive(Default)]
pub(crate) struct Trimming {
    /// Counts large calls.
    large: AtomicU32,
    /// Whether the plugin waits to be trimmed.
    waiting: AtomicBool,
}

struct Waiting {
    plugin: Weak<Plugin>,
    due: Instant,
    /// The large calls there were.
    large: u32,
}

static TRIMMER: LazyLock<Option<Sender<Weak<Plugin>>>> = LazyLock::new(|| {
    let (sender, plugins) = unbounded();
    std::thread::Builder::new()
        .name("vitrine-trimmer".into())
        .spawn(move || run(&plugins))
        .ok()
        .map(|_| sender)
});

/// Takes note of a call that has ended in `instance`.
pub(crate) fn note(plugin: &Arc<Plugin>, instance: &mut Instance) {
    if !instance.note_peak() {
        return;
    }
    let state = &plugin.trimming;
    state.large.fetch_add(1, Relaxed);
    if !state.waiting.swap(true, Relaxed)
        && let Some(trimmer) = &*TRIMMER
    {
        // The thread never ends.
        let _ = trimmer.send(Arc::downgrade(plugin));
    }
}

fn run(plugins: &Receiver<Weak<Plugin>>) {
    // All wait for the same time, so the first is due first.
    let mut queue = VecDeque::new();
    loop {
        let received = match queue.front() {
            None => plugins.recv().map_err(RecvTimeoutError::from),
            Some(Waiting { due, .. }) => plugins.recv_deadline(*due),
        };
        match received {
            Ok(plugin) => queue.extend(waiting(plugin)),
            Err(RecvTimeoutError::Timeout) => {
                let due = queue.pop_front();
                queue.extend(due.and_then(trim));
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

fn waiting(plugin: Weak<Plugin>) -> Option<Waiting> {
    let large = plugin.upgrade()?.trimming.large.load(Relaxed);
    Some(Waiting {
        plugin,
        due: Instant::now() + IDLE,
        large,
    })
}

/// Trims a plugin that is due, or lets it wait again.
fn trim(Waiting { plugin, large, .. }: Waiting) -> Option<Waiting> {
    let found = plugin.upgrade()?;
    if found.trimming.large.load(Relaxed) != large {
        return waiting(plugin);
    }
    found.trimming.waiting.store(false, Relaxed);
    loop {
        match found.trim() {
            Some(true) => (),
            Some(false) => return None,
            // In a call, which may be a small one.
            None if found.trimming.waiting.swap(true, Relaxed) => return None,
            None => return waiting(plugin),
        }
    }
}
