//! The engines. Plugins with the same [`Settings`] share one, which compiles and runs them. Nearly always there is only one.

use std::collections::HashMap;
use std::sync::LazyLock;

use parking_lot::Mutex;
use vitrine_memory::Layout;
use wasmtime::{Collector, Config, Engine, OptLevel, ProfilingStrategy, WasmBacktraceDetails};

use crate::error::{Error, Reason};
use crate::schedule::ticker::ticker;

/// The part of a fiber's stack that guest code may use.
const WASM_STACK: usize = 512 * 1024;
/// The whole stack of a fiber: the guest's part, and room for host functions.
const FIBER_STACK: usize = WASM_STACK + 256 * 1024;

/// The settings that change the generated code, or how its traps are handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Settings {
    /// Whether instructions are counted, which costs some speed.
    pub fuel: bool,
    /// Whether the guest's debug information is used, so that backtraces have files and lines. Such a plugin runs on dirty
    /// schedulers only.
    pub debug: bool,
    /// Whether a native debugger sees the guest's variables, too. Wasmtime then rewrites all of the debug information, with
    /// unbounded recursion, so this must not be used for untrusted modules.
    pub native_debug: bool,
    /// Whether traps keep the guest's state for a coredump.
    pub coredump: bool,
    /// The profiler that is told of the generated code.
    pub profiler: Option<Profiler>,
    /// Whether the layout of memories is for very many instances rather than for speed.
    pub dense: bool,
}

/// A native profiler.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Profiler {
    /// Linux perf, by a map of symbols in `/tmp`.
    PerfMap,
    /// Linux perf, by a dump of the code in the working directory.
    JitDump,
    /// Intel's VTune.
    VTune,
}

impl Settings {
    /// Whether instances share a module's data until they write to it. A module that is debugged is not changed for this.
    pub(crate) fn shares_data(self) -> bool {
        self.layout().shares_images() && !self.debug
    }

    fn layout(self) -> Layout {
        match self.dense {
            true => Layout::Dense,
            false => Layout::Reserved,
        }
    }
}

static ENGINES: LazyLock<Mutex<HashMap<Settings, &'static Engine>>> = LazyLock::new(Mutex::default);

/// The engine of these settings. It is made when it is first needed and never dropped, because there are few settings. This fails
/// on a processor that lacks something that Wasmtime needs.
pub(crate) fn engine(settings: Settings) -> Result<&'static Engine, Error> {
    let mut engines = ENGINES.lock();
    if let Some(engine) = engines.get(&settings) {
        return Ok(engine);
    }
    // Instances are allocated on demand, in memories and stacks that were used before, if there are some. Wasmtime's pooling
    // allocator also reuses them, but fixes the number of instances of all plugins together, including idle ones, and the size
    // of each.
    let engine = Engine::new(&config(settings)).map_err(|e| cannot_start(&e))?;
    ticker()?.tick_for(engine.clone());
    let engine: &'static Engine = Box::leak(Box::new(engine));
    engines.insert(settings, engine);
    Ok(engine)
}

/// The error of a system on which the engine, or what all plugins have in common, cannot be made.
pub(crate) fn cannot_start(error: &wasmtime::Error) -> Error {
    Error::new(
        Reason::Compile,
        format!("the WebAssembly engine cannot start here: {error:#}"),
    )
}

/// The configuration of Wasmtime. It is public so that benchmarks can compare with Wasmtime alone.
pub fn config(settings: Settings) -> Config {
    let mut config = Config::new();
    config
        .cranelift_opt_level(OptLevel::Speed)
        .epoch_interruption(true)
        .max_wasm_stack(WASM_STACK)
        .async_stack_size(FIBER_STACK)
        .wasm_simd(true)
        .wasm_relaxed_simd(true)
        .wasm_multi_memory(true)
        .wasm_memory64(true)
        .wasm_tail_call(true)
        .wasm_function_references(true)
        .wasm_gc(true)
        .collector(Collector::DeferredReferenceCounting)
        .wasm_exceptions(true)
        .consume_fuel(settings.fuel)
        .debug_info(settings.native_debug)
        .coredump_on_trap(settings.coredump)
        // Wasmtime's symboliser recurses as deeply as a guest's debug information is nested. See `debug_lines`.
        .wasm_backtrace_details(WasmBacktraceDetails::Disable);
    vitrine_memory::configure(&mut config, settings.layout());
    if let Some(profiler) = settings.profiler {
        config.profiler(match profiler {
            Profiler::PerfMap => ProfilingStrategy::PerfMap,
            Profiler::JitDump => ProfilingStrategy::JitDump,
            Profiler::VTune => ProfilingStrategy::VTune,
        });
    }
    config
}
