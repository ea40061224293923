//! The one engine: every plugin of the process is compiled by it and runs on it.

use std::sync::LazyLock;

use wasmtime::{Collector, Config, Engine, OptLevel};

use crate::ticker::Ticker;

/// What guest code may use of its fiber's stack.
const WASM_STACK: usize = 512 * 1024;
/// The whole fiber: the guest's part and room for host functions below it.
const FIBER_STACK: usize = WASM_STACK + 256 * 1024;

static ENGINE: LazyLock<Result<(Engine, Ticker), String>> = LazyLock::new(|| {
    let engine = Engine::new(&config()).map_err(|e| format!("{e:#}"))?;
    let ticker = Ticker::start(engine.clone()).map_err(|e| e.to_string())?;
    Ok((engine, ticker))
});

/// The engine. It cannot be had on a processor that lacks what Wasmtime needs.
pub(crate) fn engine() -> Result<&'static Engine, crate::Error> {
    parts().map(|(engine, _)| engine)
}

/// The engine and the ticker that moves its epoch.
pub(crate) fn parts() -> Result<(&'static Engine, &'static Ticker), crate::Error> {
    match &*ENGINE {
        Ok((engine, ticker)) => Ok((engine, ticker)),
        Err(message) => Err(crate::Error::new(
            crate::Reason::Compile,
            format!("the WebAssembly engine cannot start here: {message}"),
        )),
    }
}

fn config() -> Config {
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
        // Source positions would be read from the guest's own DWARF while a trap is handled.
        .wasm_backtrace_details(wasmtime::WasmBacktraceDetails::Disable);
    config
}
