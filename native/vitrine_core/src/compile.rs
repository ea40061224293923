//! Compiled modules: addressed by the sha256 of the bytes they came from, shared while somebody
//! holds them, compiled once at a time.

use std::borrow::Cow;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock, Weak};

use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use wasmtime::Module;

use crate::engine::engine;
use crate::error::{Error, Reason};
use crate::exports::{ExportKind, Exports};
use crate::interruptible::make_interruptible;
use crate::link::Needs;
use crate::long_steps::has_long_steps;
use crate::workers::{STACK, submit};

/// The largest module that is compiled, in bytes.
pub const MAX_MODULE_SIZE: usize = 128 << 20;

/// A module ready to be instantiated any number of times.
pub struct Compiled {
    sha256: [u8; 32],
    pub(crate) module: Module,
    pub(crate) exports: Exports,
    pub(crate) needs: Needs,
    /// Whether it is no work for normal schedulers.
    pub(crate) long_steps: bool,
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

static REGISTRY: LazyLock<Mutex<HashMap<[u8; 32], Entry>>> = LazyLock::new(Mutex::default);

/// Threads for Cranelift. Its work is spread over them by Wasmtime; their stack is deep.
static POOL: LazyLock<Option<rayon::ThreadPool>> = LazyLock::new(|| {
    rayon::ThreadPoolBuilder::new()
        .stack_size(STACK)
        .thread_name(|n| format!("vitrine-compile-{n}"))
        .build()
        .ok()
});

/// Compiles `bytes`, a module or its text, and gives the result to `done` on a worker's thread.
/// Those who want what is being compiled wait for the one compilation.
pub fn compile(bytes: Vec<u8>, done: impl FnOnce(Outcome) + Send + 'static) {
    submit(move || {
        let sha256: [u8; 32] = Sha256::digest(&bytes).into();
        match look_up(sha256, Box::new(done)) {
            Lookup::Found(compiled, done) => done(Ok(compiled)),
            Lookup::Waiting => (),
            Lookup::Absent => finish(sha256, build(sha256, &bytes)),
        }
    });
}

enum Lookup {
    Found(Arc<Compiled>, Waiter),
    Waiting,
    Absent,
}

fn look_up(sha256: [u8; 32], done: Waiter) -> Lookup {
    let mut registry = REGISTRY.lock();
    match registry.get_mut(&sha256) {
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
    registry.insert(sha256, Entry::Compiling(vec![done]));
    Lookup::Absent
}

fn finish(sha256: [u8; 32], outcome: Outcome) {
    let mut registry = REGISTRY.lock();
    registry.retain(|_, entry| !matches!(entry, Entry::Ready(weak) if weak.strong_count() == 0));
    let entry = match &outcome {
        Ok(compiled) => registry.insert(sha256, Entry::Ready(Arc::downgrade(compiled))),
        Err(_) => registry.remove(&sha256),
    };
    drop(registry);
    if let Some(Entry::Compiling(waiters)) = entry {
        for done in waiters {
            done(outcome.clone());
        }
    }
}

/// A panic while compiling is an error of this module, and must not leave others waiting for it.
fn build(sha256: [u8; 32], bytes: &[u8]) -> Outcome {
    let build = || match &*POOL {
        Some(pool) => pool.install(|| build_module(sha256, bytes)),
        None => build_module(sha256, bytes),
    };
    catch_unwind(AssertUnwindSafe(build))
        .unwrap_or_else(|_| Err(invalid("the compiler panicked on it")))
}

fn build_module(sha256: [u8; 32], bytes: &[u8]) -> Outcome {
    if bytes.len() > MAX_MODULE_SIZE {
        return Err(invalid(format!(
            "it has {} bytes, the limit is {MAX_MODULE_SIZE}",
            bytes.len()
        )));
    }
    let wasm = binary(bytes)?;
    let engine = engine()?;
    Module::validate(engine, &wasm).map_err(|e| invalid(format!("{e:#}")))?;
    let long_steps = has_long_steps(&wasm).map_err(|e| invalid(format!("{e:#}")))?;
    let wasm = make_interruptible(&wasm).map_err(|e| invalid(format!("{e:#}")))?;
    let module = Module::new(engine, &wasm).map_err(|e| invalid(format!("{e:#}")))?;
    Ok(Arc::new(Compiled {
        sha256,
        exports: Exports::of(&module),
        needs: Needs::of(&module)?,
        long_steps,
        module,
    }))
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
