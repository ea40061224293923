//! Threads that wait for files in the place of guests.
//!
//! A file system may never answer, for example a network's when its server is gone. Then the operation occupies its thread for
//! ever, whatever becomes of the call. So each file system has its own threads, in a bounded number, and a plugin that left too
//! many operations behind waits.

use std::any::Any;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, LazyLock, OnceLock, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::{Builder, Handle};
use wasmtime_wasi::runtime::with_ambient_tokio_runtime;

use crate::host::plugin_state::PluginState;

/// The most threads of one file system.
const THREADS: usize = 64;

/// The most groups of threads. If there are more file systems, some share a group.
const GROUPS: usize = 16;

/// If so many instances of a plugin are gone while an operation of theirs is not over, the next one waits.
const LEFT_BEHIND: usize = 4;

/// The time after which a plugin that waits looks again.
const PAUSE: Duration = Duration::from_millis(20);

/// The existing groups, by their file systems.
static STARTED: Mutex<Vec<(u64, Handle)>> = Mutex::new(Vec::new());

/// The threads that open directories whose file system is not known yet.
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
    // The runtime lives as long as the process, because ending it would wait for its threads.
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

/// The threads that work for a plugin, and what they still work on.
#[derive(Default)]
pub(crate) struct FileThreads {
    /// The threads of the plugin's directories, once their file systems are known.
    group: OnceLock<Handle>,
    /// The last instance's number, and what each instance, by its number, holds or has asked for.
    held: Mutex<(u64, Vec<(u64, Held)>)>,
}

impl FileThreads {
    /// The threads that open the plugin's directories.
    pub(super) fn opener(&self) -> Option<Handle> {
        self.group.get().or(OPENERS.as_ref()).cloned()
    }

    /// The threads that do blocking work once the directories are open.
    pub(super) fn group(&self) -> Option<&Handle> {
        self.group.get()
    }

    /// Records the file systems of the directories. True if they were not known before.
    pub(super) fn found(&self, devices: &[u64]) -> bool {
        if self.group.get().is_some() {
            return false;
        }
        group(devices).is_some_and(|handle| self.group.set(handle).is_ok())
    }

    /// Waits until few enough of the instances before it have left something behind, and returns the number of the next instance.
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

    /// Records that an instance holds this. Every operation on it holds it, too.
    pub(super) fn hold(&self, instance: u64, thing: &Arc<impl Any + Send + Sync>) {
        let weak: Held = Arc::downgrade(thing) as Held;
        let (_, held) = &mut *self.held.lock();
        if held.len() == held.capacity() {
            held.retain(|(_, thing)| thing.strong_count() > 0);
        }
        held.push((instance, weak));
    }
}

/// Polls with a runtime entered, which WASI needs for timers and files. Only plugins that have WASI pay for it.
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
    fn plugin_waits_while_operations_of_four_instances_are_not_over() {
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
        // The instance still has two others.
        stuck.pop();
        assert_eq!(threads.next(), None);
        stuck.truncate(9);
        assert!(threads.next().is_some());
    }

    #[test]
    fn each_file_system_has_its_own_threads_up_to_the_most_groups() {
        let id = |devices: &[u64]| group(devices).unwrap().id();
        assert_eq!(id(&[1, 2, 1]), id(&[2, 1]));
        assert_ne!(id(&[1]), id(&[2]));
        for device in 0..100 {
            id(&[device]);
        }
        assert!(STARTED.lock().len() <= GROUPS);
    }
}
