//! Compiled modules: addressed by the sha256 of the bytes they came from and by how they are
//! compiled, shared while somebody holds them, compiled once at a time, and kept on disk if that is
//! wanted.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock, Weak};

use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use vitrine_memory::{Images, SharedImage};
use vitrine_rewrite::{DataImage, Flags, ModuleType, Plan, Stage, compile_cost, features};
use vitrine_rewrite::{rewrite, shared_data};
use wasmtime::Module;

use crate::cache::{self, Cache};
use crate::compiled::Compiled;
use crate::engine::Settings;
use crate::error::{Error, Reason};
use crate::exports::Exports;
use crate::lines::Lines;
use crate::link::Needs;
use crate::platform::Platform;
use crate::snapshot::refused;
use crate::text;
use crate::workers::{Lane, compile_on_deep_stack, submit, submit_compilation};

/// The largest module that is compiled, in bytes.
pub const MAX_MODULE_SIZE: usize = 128 << 20;

/// How a module is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CompileOptions {
    /// The settings of the engine.
    pub settings: Settings,
    /// Whether it is to be linked to another module, and is not a plugin's main one: then a
    /// command has a fresh state for each call.
    pub library: bool,
    /// Where it stands, if it is to become a snapshot.
    pub stage: Option<Stage>,
    /// Whether the kernel's functions that move bytes become code of the module's own. What a plugin
    /// does is the same without, only slower. With [`Settings::debug`] it never happens.
    pub fuse: bool,
}

impl Default for CompileOptions {
    fn default() -> Self {
        CompileOptions {
            settings: Settings::default(),
            library: false,
            stage: None,
            fuse: true,
        }
    }
}

/// Where the native code of a module came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The module is in use, or was being compiled for somebody else.
    Memory,
    /// It was in the cache on disk.
    Disk,
    /// It was compiled.
    Compiler,
}

/// What a compilation comes to.
pub type Outcome = Result<(Arc<Compiled>, Origin), Error>;
type Waiter = Box<dyn FnOnce(Outcome) + Send>;

enum Entry {
    Ready(Weak<Compiled>),
    Compiling(Vec<Waiter>),
}

type Key = ([u8; 32], CompileOptions);

static REGISTRY: LazyLock<Mutex<HashMap<Key, Entry>>> = LazyLock::new(Mutex::default);

/// Compiles `bytes`, a module or its text, and gives the result to `done` on a worker's thread.
/// Those who want what is being compiled wait for the one compilation, and of those that take about as
/// long there are no more at a time than there are workers for that. What is in use or kept on disk
/// waits for none of them.
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
    Found(Arc<Compiled>, Waiter),
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
        // The first is the one it was compiled for.
        if let Some(first) = waiters.next() {
            first(outcome);
        }
        for done in waiters {
            done(shared.clone());
        }
    }
}

/// Loads what is kept, or has it compiled when a worker for that is free.
fn get(key: Key, bytes: Vec<u8>, cache: Option<Cache>) {
    match guarded(|| kept(key, &bytes, cache.as_ref())) {
        Ok(Some(compiled)) => finish(key, Ok((compiled, Origin::Disk))),
        Err(error) => finish(key, Err(error)),
        // What is found in it tells more.
        Ok(None) => queue(Lane::of(bytes.len() as u64), key, bytes, cache),
    }
}

/// Has it compiled when a worker of the lane is free, or of a slower one if it turns out to need that.
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

/// A panic while compiling is an error of this module, and must not leave others waiting for it.
fn guarded<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(invalid("the compiler panicked on it")))
}

fn kept(key: Key, bytes: &[u8], cache: Option<&Cache>) -> Result<Option<Arc<Compiled>>, Error> {
    let platform = Platform::get(key.1.settings)?;
    let Some(cache) = cache else { return Ok(None) };
    let place = cache::Key::new(&platform.engine, &key.0, key.1);
    let Some((module, flags)) = load(platform, cache, &place) else {
        return Ok(None);
    };
    let wasm = binary(bytes)?;
    let data = shared_data(&wasm, plan(key.1))?;
    let built = Built {
        module,
        interface: ModuleType::read(&wasm).map_err(invalid)?,
        flags,
        images: images(data)?,
    };
    finished(platform, key, bytes, built).map(Some)
}

/// What a turn in a lane comes to.
enum Turn<T> {
    Built(T),
    /// It is one for this lane, which is slower.
    Slower(Lane),
}

fn build(
    lane: Lane,
    key: Key,
    bytes: &[u8],
    cache: Option<&Cache>,
) -> Result<Turn<Arc<Compiled>>, Error> {
    let (sha256, options) = key;
    // Not on the threads for Cranelift: one that waits there takes up other work, which would wait
    // for the same platform.
    let platform = Platform::get(options.settings)?;
    let built = match compile_on_deep_stack(lane, || build_module(lane, platform, options, bytes))?
    {
        Turn::Built(built) => built,
        Turn::Slower(lane) => return Ok(Turn::Slower(lane)),
    };
    if let Some(cache) = cache
        && let Ok(code) = built.module.serialize()
    {
        let place = cache::Key::new(&platform.engine, &sha256, options);
        cache.put(&place, &cache::Entry::new(built.flags, code));
    }
    Ok(Turn::Built(finished(platform, key, bytes, built)?))
}

/// A module, and what its bytes tell that it does not.
struct Built {
    module: Module,
    interface: ModuleType,
    flags: Flags,
    images: Images,
}

fn finished(
    platform: &'static Platform,
    key: Key,
    bytes: &[u8],
    built: Built,
) -> Result<Arc<Compiled>, Error> {
    let (
        sha256,
        CompileOptions {
            stage, settings, ..
        },
    ) = key;
    let lines = match settings.debug {
        true => Some(Lines::of(&binary(bytes)?)),
        false => None,
    };
    Ok(Arc::new(Compiled {
        lines,
        sha256,
        platform,
        exports: Exports::of(&built.module),
        needs: Needs::of(&built.interface),
        interface: built.interface,
        long_steps: built.flags.uninterruptible,
        command: built.flags.command,
        fused: built.flags.fused,
        images: built.images,
        backlog: Arc::default(),
        initialised: stage == Some(Stage::Snapshot),
        source: (stage == Some(Stage::Draft)).then(|| bytes.to_vec()),
        module: built.module,
    }))
}

/// The module as it was kept, if it was.
fn load(platform: &Platform, cache: &Cache, key: &cache::Key) -> Option<(Module, Flags)> {
    let entry = cache.get(key)?;
    // SAFETY: Wasmtime wants bytes that `Module::serialize` wrote. The cache gives what has the
    // checksum that `Cache::put` wrote with such bytes, from a directory and a memory that nobody
    // else can change; who can write there as this user could as well run code without a cache.
    // What another version or engine wrote has another key, and Wasmtime checks that itself.
    #[allow(unsafe_code)]
    let module = unsafe { Module::deserialize(&platform.engine, entry.code()) };
    match module {
        Ok(module) => Some((module, entry.flags)),
        Err(_) => {
            cache.remove(key);
            None
        }
    }
}

fn build_module(
    lane: Lane,
    platform: &Platform,
    options: CompileOptions,
    bytes: &[u8],
) -> Result<Turn<Built>, Error> {
    let wasm = binary(bytes)?;
    let needed = Lane::of(compile_cost::check(&wasm, options.settings.fuel)?);
    if needed > lane {
        return Ok(Turn::Slower(needed));
    }
    let interface = ModuleType::read(&wasm).map_err(invalid)?;
    let rewritten = rewrite(wasm, plan(options))?;
    let module = Module::new(&platform.engine, &rewritten.wasm);
    let module = module.map_err(|e| invalid(format!("{e:#}")))?;
    Ok(Turn::Built(Built {
        module,
        interface,
        flags: rewritten.flags,
        images: images(rewritten.data)?,
    }))
}

/// How the passes are to change a module that is compiled so.
fn plan(options: CompileOptions) -> Plan {
    let CompileOptions {
        settings,
        library,
        stage,
        fuse,
    } = options;
    Plan {
        debug: settings.debug,
        library,
        stage,
        fuse,
        counts_fuel: settings.fuel,
        shares_data: settings.shares_data(),
    }
}

/// The images of a module's memories. Data becomes an image only if it is of the one memory that the module defines.
fn images(data: Option<DataImage>) -> Result<Images, Error> {
    let Some(data) = data else {
        return Ok(Images::default());
    };
    let image = SharedImage::new(data.memory, data.start, &data.bytes);
    image.map(|image| Images::new([(0, image)])).map_err(|e| {
        Error::new(
            Reason::OutOfMemory,
            format!("the module's data cannot be shared: {e}"),
        )
    })
}

/// The binary form: text is parsed.
pub(crate) fn binary(bytes: &[u8]) -> Result<Cow<'_, [u8]>, Error> {
    match bytes {
        _ if bytes.len() > MAX_MODULE_SIZE => Err(invalid(format!(
            "it has {} bytes; the limit is {MAX_MODULE_SIZE} bytes",
            bytes.len()
        ))),
        [] => Err(invalid("there are no bytes")),
        [0, b'a', b's', b'm', _, _, 1, 0, ..] => Err(invalid(
            "expected a WebAssembly module but was given a WebAssembly component",
        )),
        [0, b'a', b's', b'm', ..] => Ok(Cow::Borrowed(bytes)),
        _ => {
            if let Ok(text) = std::str::from_utf8(bytes) {
                compile_cost::text::check(text)?;
            }
            wat::parse_bytes(bytes).map_err(|e| invalid(in_one_line(&e.to_string())))
        }
    }
}

/// What is wrong with a text, and where: without the lines of the text, which come after that.
fn in_one_line(error: &str) -> String {
    let mut lines = error.lines();
    let what = lines.next().unwrap_or_default();
    let place = lines.find_map(|line| line.trim_start().strip_prefix("--> <anon>:"));
    match place.and_then(|place| place.split_once(':')) {
        Some((line, column)) => format!("{what} (line {line}, column {column})"),
        None => what.to_owned(),
    }
}

pub(crate) fn invalid(why: impl std::fmt::Display) -> Error {
    let why = why.to_string();
    let why = features::advice(&why).unwrap_or(why);
    let why = format!("the module cannot be compiled: {why}");
    Error::new(Reason::Compile, text::shown(why.as_bytes(), text::MESSAGE))
}

impl From<vitrine_rewrite::Error> for Error {
    fn from(error: vitrine_rewrite::Error) -> Error {
        match error {
            vitrine_rewrite::Error::Invalid(why) | vitrine_rewrite::Error::TooExpensive(why) => {
                invalid(why)
            }
            vitrine_rewrite::Error::CannotSnapshot(why) => refused(why),
        }
    }
}
