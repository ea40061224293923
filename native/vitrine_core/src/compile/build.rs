//! Makes a compiled module of bytes: loads it from the cache, or validates, rewrites and compiles it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use vitrine_memory::{Images, SharedImage};
use vitrine_rewrite::{DataImage, Flags, ModuleType, Stage, compile_cost, rewrite, shared_data};
use wasmtime::{Engine, Module};

use super::Key;
use super::binary::{binary, invalid};
use super::cache::{self, Cache};
use super::compiled::CompiledModule;
use super::debug_lines::Lines;
use super::engine::engine;
use super::exports::Exports;
use super::imports::Needs;
use super::options::CompileOptions;
use crate::error::{Error, Reason};
use crate::schedule::workers::{Lane, compile_on_deep_stack};

/// Turns a panic while compiling into an error of this module, so that callers do not wait for ever.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(invalid("the compiler panicked on it")))
}

/// The module from the cache, if it is there.
pub(super) fn kept(
    key: Key,
    bytes: &[u8],
    cache: Option<&Cache>,
) -> Result<Option<Arc<CompiledModule>>, Error> {
    let engine = engine(key.1.settings)?;
    let Some(cache) = cache else { return Ok(None) };
    let place = cache::Key::new(engine, &key.0, key.1);
    let Some((module, flags)) = load(engine, cache, &place) else {
        return Ok(None);
    };
    let wasm = binary(bytes)?;
    let data = shared_data(&wasm, key.1.plan())?;
    let built = Built {
        module,
        module_type: ModuleType::read(&wasm).map_err(invalid)?,
        flags,
        images: images(data)?,
    };
    finished(key, bytes, built).map(Some)
}

/// The outcome of an attempt to compile a module in a lane.
pub(super) enum Turn<T> {
    Built(T),
    /// The module needs this lane, which is slower.
    Slower(Lane),
}

pub(super) fn build(
    lane: Lane,
    key: Key,
    bytes: &[u8],
    cache: Option<&Cache>,
) -> Result<Turn<Arc<CompiledModule>>, Error> {
    let (sha256, options) = key;
    // The engine is not made on the threads for Cranelift: a thread that waits there takes up other work, which would wait for
    // the same engine.
    let engine = engine(options.settings)?;
    let built = match compile_on_deep_stack(lane, || build_module(lane, engine, options, bytes))? {
        Turn::Built(built) => built,
        Turn::Slower(lane) => return Ok(Turn::Slower(lane)),
    };
    if let Some(cache) = cache
        && let Ok(code) = built.module.serialize()
    {
        let place = cache::Key::new(engine, &sha256, options);
        cache.put(&place, &cache::Entry::new(built.flags, code));
    }
    Ok(Turn::Built(finished(key, bytes, built)?))
}

/// A module, and what is known from its bytes only.
struct Built {
    module: Module,
    module_type: ModuleType,
    flags: Flags,
    images: Images,
}

fn finished(key: Key, bytes: &[u8], built: Built) -> Result<Arc<CompiledModule>, Error> {
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
    Ok(Arc::new(CompiledModule {
        lines,
        sha256,
        settings,
        exports: Exports::of(&built.module),
        needs: Needs::of(&built.module_type),
        module_type: built.module_type,
        uninterruptible: built.flags.uninterruptible,
        command: built.flags.command,
        fused: built.flags.fused,
        images: built.images,
        backlog: Arc::default(),
        initialised: stage == Some(Stage::Snapshot),
        source: (stage == Some(Stage::Draft)).then(|| bytes.to_vec()),
        module: built.module,
    }))
}

/// The module and its flags from the cache, if they are there.
fn load(engine: &Engine, cache: &Cache, key: &cache::Key) -> Option<(Module, Flags)> {
    let entry = cache.get(key)?;
    // SAFETY: Wasmtime requires bytes that `Module::serialize` wrote. The cache returns bytes with
    // the checksum that `Cache::put` wrote with such bytes, from a directory and a memory that no
    // other user can change. Code that runs as this user needs no cache to run code. Entries of
    // another version or engine have another key, and Wasmtime checks that itself.
    #[allow(unsafe_code)]
    let module = unsafe { Module::deserialize(engine, entry.code()) };
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
    engine: &Engine,
    options: CompileOptions,
    bytes: &[u8],
) -> Result<Turn<Built>, Error> {
    let wasm = binary(bytes)?;
    let needed = Lane::of(compile_cost::check(&wasm, options.settings.fuel)?);
    if needed > lane {
        return Ok(Turn::Slower(needed));
    }
    let module_type = ModuleType::read(&wasm).map_err(invalid)?;
    let rewritten = rewrite(wasm, options.plan())?;
    let module = Module::new(engine, &rewritten.wasm);
    let module = module.map_err(|e| invalid(format!("{e:#}")))?;
    Ok(Turn::Built(Built {
        module,
        module_type,
        flags: rewritten.flags,
        images: images(rewritten.data)?,
    }))
}

/// The images of a module's memories. Only data of the single memory that a module defines becomes an image.
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
