//! Compiled modules: addressed by the sha256 of the bytes they came from and by how they are
//! compiled, shared while somebody holds them, compiled once at a time.

use std::borrow::Cow;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock, Weak};

use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use wasmtime::Module;

use crate::engine::Settings;
use crate::error::{Error, Reason};
use crate::exports::{ExportKind, Exports};
use crate::interruptible::make_interruptible;
use crate::link::Needs;
use crate::long_steps::has_long_steps;
use crate::platform::Platform;
use crate::reusable::make_reusable;
use crate::workers::{on_deep_stack, submit};

/// The largest module that is compiled, in bytes.
pub const MAX_MODULE_SIZE: usize = 128 << 20;

/// How a module is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct CompileOptions {
    /// The settings of the engine.
    pub settings: Settings,
    /// Whether it is to be linked to another module, and is not a plugin's main one: then a
    /// command has a fresh state for each call.
    pub library: bool,
}

/// A module ready to be instantiated any number of times.
pub struct Compiled {
    sha256: [u8; 32],
    pub(crate) platform: &'static Platform,
    pub(crate) module: Module,
    pub(crate) exports: Exports,
    pub(crate) needs: Needs,
    /// Whether it is no work for normal schedulers.
    pub(crate) long_steps: bool,
    /// Whether it is a library of which each call wants a fresh instance.
    pub(crate) command: bool,
}

impl Compiled {
    /// The sha256 of the bytes the module was given as.
    pub fn sha256(&self) -> &[u8; 32] {
        &self.sha256
    }

    /// How the exported function can be called, if there is one of that name.
    pub fn export(&self, name: &str) -> Option<ExportKind> {
        self.exports.kind(name)
    }

    /// Whether the module can log, or asks what is logged.
    pub fn logs(&self) -> bool {
        self.needs.logs
    }
}

/// What a compilation comes to.
pub type Outcome = Result<Arc<Compiled>, Error>;
type Waiter = Box<dyn FnOnce(Outcome) + Send>;

enum Entry {
    Ready(Weak<Compiled>),
    Compiling(Vec<Waiter>),
}

type Key = ([u8; 32], CompileOptions);

static REGISTRY: LazyLock<Mutex<HashMap<Key, Entry>>> = LazyLock::new(Mutex::default);

/// Compiles `bytes`, a module or its text, and gives the result to `done` on a worker's thread.
/// Those who want what is being compiled wait for the one compilation.
pub fn compile(
    bytes: Vec<u8>,
    options: CompileOptions,
    done: impl FnOnce(Outcome) + Send + 'static,
) {
    submit(move || {
        let key = (Sha256::digest(&bytes).into(), options);
        match look_up(key, Box::new(done)) {
            Lookup::Found(compiled, done) => done(Ok(compiled)),
            Lookup::Waiting => (),
            Lookup::Absent => finish(key, build(key, &bytes)),
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
        Ok(compiled) => registry.insert(key, Entry::Ready(Arc::downgrade(compiled))),
        Err(_) => registry.remove(&key),
    };
    drop(registry);
    if let Some(Entry::Compiling(waiters)) = entry {
        for done in waiters {
            done(outcome.clone());
        }
    }
}

/// A panic while compiling is an error of this module, and must not leave others waiting for it.
fn build(key: Key, bytes: &[u8]) -> Outcome {
    // Not on the threads for Cranelift: one that waits there takes up other work, which would wait
    // for the same platform.
    let platform = Platform::get(key.1.settings)?;
    let build = || on_deep_stack(|| build_module(platform, key, bytes));
    catch_unwind(AssertUnwindSafe(build))
        .unwrap_or_else(|_| Err(invalid("the compiler panicked on it")))
}

fn build_module(platform: &'static Platform, (sha256, options): Key, bytes: &[u8]) -> Outcome {
    if bytes.len() > MAX_MODULE_SIZE {
        return Err(invalid(format!(
            "it has {} bytes, the limit is {MAX_MODULE_SIZE}",
            bytes.len()
        )));
    }
    let wasm = binary(bytes)?;
    let (wasm, command, long_steps) =
        prepare(platform, wasm, options).map_err(|e| invalid(format!("{e:#}")))?;
    let module = Module::new(&platform.engine, &wasm).map_err(|e| invalid(format!("{e:#}")))?;
    Ok(Arc::new(Compiled {
        sha256,
        platform,
        exports: Exports::of(&module),
        needs: Needs::of(&module)?,
        long_steps,
        command,
        module,
    }))
}

/// The module as it is compiled, whether it is a command, and whether it has long steps.
fn prepare<'a>(
    platform: &Platform,
    mut wasm: Cow<'a, [u8]>,
    options: CompileOptions,
) -> anyhow::Result<(Cow<'a, [u8]>, bool, bool)> {
    Module::validate(&platform.engine, &wasm)?;
    let mut command = false;
    if options.library
        && let Some(reusable) = make_reusable(&wasm)?
    {
        (wasm, command) = (Cow::Owned(reusable), true);
    }
    if options.settings.debug {
        // The debug information speaks of the code as it is.
        return Ok((wasm, command, true));
    }
    let long_steps = has_long_steps(&wasm)?;
    if let Cow::Owned(rewritten) = make_interruptible(&wasm)? {
        wasm = Cow::Owned(rewritten);
    }
    Ok((wasm, command, long_steps))
}

/// The binary form: text is parsed.
fn binary(bytes: &[u8]) -> Result<Cow<'_, [u8]>, Error> {
    match bytes {
        [] => Err(invalid("there are no bytes")),
        [0, b'a', b's', b'm', _, _, 1, 0, ..] => Err(invalid(
            "expected a WebAssembly module but was given a WebAssembly component",
        )),
        [0, b'a', b's', b'm', ..] => Ok(Cow::Borrowed(bytes)),
        _ => wat::parse_bytes(bytes).map_err(|e| invalid(e.to_string())),
    }
}

fn invalid(why: impl std::fmt::Display) -> Error {
    Error::new(
        Reason::Compile,
        format!("the module cannot be compiled: {why}"),
    )
}
