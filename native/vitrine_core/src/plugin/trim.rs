//! Decommits the pages that a large call leaves resident in the kernel's memory, once the plugin has made no other large
//! call for a while. Without that delay, a plugin whose calls are all large would fault in its pages with each call.
//!
//! One thread does this for all plugins. It decommits a little at a time, because a call that starts meanwhile has to
//! wait.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, LazyLock, Weak};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};

use crate::instance::Instance;
use crate::plugin::Plugin;

/// How long a plugin must make no large call before its memory is trimmed.
const IDLE: Duration = Duration::from_secs(1);

/// The trimmer thread's knowledge of a plugin.
#[derive(Default)]
pub(crate) struct Trimming {
    /// The number of large calls so far.
    large: AtomicU32,
    /// Whether the plugin waits to be trimmed.
    waiting: AtomicBool,
}

/// A plugin that waits to be trimmed.
struct Waiting {
    plugin: Weak<Plugin>,
    due: Instant,
    /// The number of large calls when it began to wait.
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

/// Notes a call that has ended in `instance`. If it was large, the plugin waits to be trimmed.
pub(crate) fn note(plugin: &Arc<Plugin>, instance: &mut Instance) {
    if !instance.note_peak() {
        return;
    }
    let state = &plugin.trimming;
    state.large.fetch_add(1, Relaxed);
    if !state.waiting.swap(true, Relaxed)
        && let Some(trimmer) = &*TRIMMER
    {
        // Sending does not fail, because the thread never ends.
        let _ = trimmer.send(Arc::downgrade(plugin));
    }
}

fn run(plugins: &Receiver<Weak<Plugin>>) {
    // All plugins wait for the same time, so the first in the queue is the first that is due.
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

/// Trims a plugin that is due. If it has made another large call, it waits again.
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
            // The plugin is in a call. If that is a large one, it has queued the plugin again; if not, it waits again.
            None if found.trimming.waiting.swap(true, Relaxed) => return None,
            None => return waiting(plugin),
        }
    }
}
