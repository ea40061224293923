//! Who waits for files in the place of guests. A file system may never answer: a network's, when its server is
//! gone. Then what was asked of it has its thread for ever, whatever becomes of the call. So each file
//! system has threads of its own, of a bounded number, and a plugin that left too much behind waits.

use std::any::Any;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, LazyLock, OnceLock, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::{Builder, Handle};
use wasmtime_wasi::runtime::with_ambient_tokio_runtime;

use crate::host::plugin_state::PluginState;

/// Threads for one file system.
const THREADS: usize = 64;

/// Groups of threads. With more file systems than that, some share one.
const GROUPS: usize = 16;

/// Instances of a plugin that are gone while something that they asked for is not over. With so many, the next
/// one waits.
const LEFT_BEHIND: usize = 4;

/// How often a plugin that waits looks again.
const PAUSE: Duration = Duration::from_millis(20);

/// The groups that there are, by their file systems.
static STARTED: Mutex<Vec<(u64, Handle)>> = Mutex::new(Vec::new());

/// For directories of which nobody knows yet in which file system they are.
static OPENERS: LazyLock<Option<Handle>> = LazyLock::new(start);

fn start() -> Option<Handle> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .max_blocking_threads(THREADS)
        .thread_name("vitrine-files")
        .enable_time()
        .build()
        .ok()?;
    let handle = runtime.handle().clone();
    // It is there as long as the process: to end it would be to wait for its threads.
    std::mem::forget(runtime);
    Some(handle)
}

/// The threads for these file systems.
fn group(devices: &[u64]) -> Option<Handle> {
    let mut devices = devices.to_vec();
    devices.sort_unstable();
    devices.dedup();
    let mut hasher = DefaultHasher::new();
    devices.hash(&mut hasher);
    let key = hasher.finish();
    let mut started = STARTED.lock();
    if let Some((_, handle)) = started.iter().find(|(other, _)| *other == key) {
        return Some(handle.clone());
    }
    if started.len() >= GROUPS {
        return Some(started[(key % GROUPS as u64) as usize].1.clone());
    }
    let handle = start()?;
    started.push((key, handle.clone()));
    Some(handle)
}

type Held = Weak<dyn Any + Send + Sync>;

/// A plugin's part in it.
#[derive(Default)]
pub(crate) struct FileThreads {
    /// Once it is known where its directories are.
    group: OnceLock<Handle>,
    /// What its instances, by their numbers, hold or have asked for.
    held: Mutex<(u64, Vec<(u64, Held)>)>,
}

impl FileThreads {
    /// Where the plugin's directories are opened.
    pub(super) fn opener(&self) -> Option<Handle> {
        self.group.get().or(OPENERS.as_ref()).cloned()
    }

    /// Where blocking work is done once they are.
    pub(super) fn group(&self) -> Option<&Handle> {
        self.group.get()
    }

    /// Takes note of where the directories are; whether that is new.
    pub(super) fn found(&self, devices: &[u64]) -> bool {
        if self.group.get().is_some() {
            return false;
        }
        group(devices).is_some_and(|handle| self.group.set(handle).is_ok())
    }

    /// A number for the next instance, once little enough is left of those before it.
    pub(super) async fn turn(&self) -> u64 {
        loop {
            if let Some(number) = self.next() {
                return number;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn next(&self) -> Option<u64> {
        let (number, held) = &mut *self.held.lock();
        held.retain(|(_, thing)| thing.strong_count() > 0);
        let mut instances: Vec<_> = held.iter().map(|(instance, _)| *instance).collect();
        instances.dedup();
        (instances.len() < LEFT_BEHIND).then(|| {
            *number += 1;
            *number
        })
    }

    /// An instance holds this, and so does all that it has asked of it.
    pub(super) fn hold(&self, instance: u64, thing: &Arc<impl Any + Send + Sync>) {
        let weak: Held = Arc::downgrade(thing) as Held;
        let (_, held) = &mut *self.held.lock();
        if held.len() == held.capacity() {
            held.retain(|(_, thing)| thing.strong_count() > 0);
        }
        held.push((instance, weak));
    }
}

/// Polls where WASI's timers can be made, and files worked on. Only plugins that have WASI pay for it.
pub(crate) fn enter<R>(plugin: &PluginState, poll: impl FnOnce() -> R) -> R {
    if plugin.wasi.is_none() {
        return poll();
    }
    match plugin.file_threads.group() {
        Some(handle) => {
            let _entered = handle.enter();
            poll()
        }
        None => with_ambient_tokio_runtime(poll),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_waits_while_something_of_four_instances_is_not_over() {
        let threads = FileThreads::default();
        let mut stuck = Vec::new();
        for _ in 0..LEFT_BEHIND {
            let instance = threads.next().unwrap();
            for _ in 0..3 {
                let file = Arc::new(());
                threads.hold(instance, &file);
                stuck.push(file);
            }
        }
        assert_eq!(threads.next(), None);
        // One of the three is not all of them.
        stuck.pop();
        assert_eq!(threads.next(), None);
        stuck.truncate(9);
        assert!(threads.next().is_some());
    }

    #[test]
    fn each_file_system_has_threads_of_its_own_up_to_a_number_of_groups() {
        let id = |devices: &[u64]| group(devices).unwrap().id();
        assert_eq!(id(&[1, 2, 1]), id(&[2, 1]));
        assert_ne!(id(&[1]), id(&[2]));
        for device in 0..100 {
            id(&[device]);
        }
        assert!(STARTED.lock().len() <= GROUPS);
    }
}
