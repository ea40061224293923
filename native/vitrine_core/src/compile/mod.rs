//! Turns bytes into native code. A module is identified by the sha256 of its bytes and by the options it is compiled with. It is
//! shared as long as it is in use, compiled only once at a time, and kept on disk if that is wanted.
//!
//! Read this file first: it is the registry of compiled modules. `options` says how a module is compiled, and `engine` with what.
//! `binary` makes the binary format of a text, and `build` does the rest, with the passes of `vitrine_rewrite`. `compiled` is
//! the result, with its `exports`, its `imports`, and the `debug_lines` of its code. `cache` keeps native code on disk.

pub(crate) mod binary;
mod build;
pub(crate) mod cache;
pub(crate) mod compiled;
pub(crate) mod debug_lines;
pub(crate) mod engine;
pub(crate) mod exports;
pub(crate) mod imports;
pub(crate) mod options;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Weak};

use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use self::binary::invalid;
use self::build::{Turn, build, guarded, kept};
use self::cache::Cache;
use self::compiled::CompiledModule;
use self::options::{CompileOptions, Origin};
use crate::error::Error;
use crate::schedule::workers::{Lane, submit, submit_compilation};

/// The outcome of a compilation: the module and where its code came from.
pub type Outcome = Result<(Arc<CompiledModule>, Origin), Error>;
type Waiter = Box<dyn FnOnce(Outcome) + Send>;

enum Entry {
    Ready(Weak<CompiledModule>),
    Compiling(Vec<Waiter>),
}

type Key = ([u8; 32], CompileOptions);

static REGISTRY: LazyLock<Mutex<HashMap<Key, Entry>>> = LazyLock::new(Mutex::default);

/// Compiles `bytes`, a module or its text, and passes the outcome to `done` on a worker's thread.
///
/// Concurrent requests for the same module share one compilation. There are no more compilations of about the same length at a
/// time than there are workers for them. A module that is in use or kept on disk does not wait for any of them.
pub fn compile(
    bytes: Vec<u8>,
    options: CompileOptions,
    cache: Option<Cache>,
    done: impl FnOnce(Outcome) + Send + 'static,
) {
    submit(move || {
        let key = (Sha256::digest(&bytes).into(), options);
        match look_up(key, Box::new(done)) {
            Lookup::Found(compiled, done) => done(Ok((compiled, Origin::Memory))),
            Lookup::Waiting => (),
            Lookup::Absent => get(key, bytes, cache),
        }
    });
}

enum Lookup {
    Found(Arc<CompiledModule>, Waiter),
    Waiting,
    Absent,
}

fn look_up(key: Key, done: Waiter) -> Lookup {
    let mut registry = REGISTRY.lock();
    match registry.get_mut(&key) {
        Some(Entry::Compiling(waiters)) => {
            waiters.push(done);
            return Lookup::Waiting;
        }
        Some(Entry::Ready(weak)) => {
            if let Some(compiled) = weak.upgrade() {
                return Lookup::Found(compiled, done);
            }
        }
        None => (),
    }
    registry.insert(key, Entry::Compiling(vec![done]));
    Lookup::Absent
}

fn finish(key: Key, outcome: Outcome) {
    let mut registry = REGISTRY.lock();
    registry.retain(|_, entry| !matches!(entry, Entry::Ready(weak) if weak.strong_count() == 0));
    let entry = match &outcome {
        Ok((compiled, _)) => registry.insert(key, Entry::Ready(Arc::downgrade(compiled))),
        Err(_) => registry.remove(&key),
    };
    drop(registry);
    if let Some(Entry::Compiling(waiters)) = entry {
        let shared = outcome.clone();
        let shared = shared.map(|(compiled, _)| (compiled, Origin::Memory));
        let mut waiters = waiters.into_iter();
        // The module was compiled for the first one.
        if let Some(first) = waiters.next() {
            first(outcome);
        }
        for done in waiters {
            done(shared.clone());
        }
    }
}

/// Loads the module from the cache, or queues its compilation.
fn get(key: Key, bytes: Vec<u8>, cache: Option<Cache>) {
    match guarded(|| kept(key, &bytes, cache.as_ref())) {
        Ok(Some(compiled)) => finish(key, Ok((compiled, Origin::Disk))),
        Err(error) => finish(key, Err(error)),
        // This lane is a first guess by the size. The contents decide later.
        Ok(None) => queue(Lane::of(bytes.len() as u64), key, bytes, cache),
    }
}

/// Queues a compilation for a worker of the lane. If it turns out to need a slower lane, it is queued there instead.
fn queue(lane: Lane, key: Key, bytes: Vec<u8>, cache: Option<Cache>) {
    let job = move || match guarded(|| build(lane, key, &bytes, cache.as_ref())) {
        Ok(Turn::Built(compiled)) => finish(key, Ok((compiled, Origin::Compiler))),
        Ok(Turn::Slower(lane)) => queue(lane, key, bytes, cache),
        Err(error) => finish(key, Err(error)),
    };
    if !submit_compilation(lane, job) {
        finish(key, Err(invalid("there is no thread to compile it")));
    }
}
