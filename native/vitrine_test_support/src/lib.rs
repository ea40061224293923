//! Helpers that the tests and benchmarks of the core share: they compile text, and run calls to their end.

#![forbid(unsafe_code)]
// A helper that panics fails the test that calls it.
#![allow(clippy::unwrap_used)]

use std::sync::{Arc, mpsc};
use std::time::Duration;

use vitrine_core::{
    Cache, Call, CallOptions, CompileOptions, CompiledModule, Error, LOG_OFF, LinkedPlugin, Origin,
    Plugin, Reply, Request, Scheduler, Step, compile,
};

/// The options of a call without a timeout and without logging.
pub const OPTIONS: CallOptions = CallOptions {
    timeout: None,
    log_level: LOG_OFF,
};

/// The options of modules that need no others. Modules are fused unless the environment's `VITRINE_FUSE` is `off`: the
/// same tests must pass without fusing.
pub fn options() -> CompileOptions {
    CompileOptions {
        fuse: std::env::var("VITRINE_FUSE").as_deref() != Ok("off"),
        ..CompileOptions::default()
    }
}

/// Compiles a module, or its text, and waits for it.
pub fn compiled(
    module: impl AsRef<[u8]>,
    options: CompileOptions,
) -> Result<Arc<CompiledModule>, Error> {
    compiled_with(module, options, None).map(|(compiled, _)| compiled)
}

/// Like [`compiled`], with a cache. Also gives where the code came from.
pub fn compiled_with(
    module: impl AsRef<[u8]>,
    options: CompileOptions,
    cache: Option<Cache>,
) -> Result<(Arc<CompiledModule>, Origin), Error> {
    let (done, outcome) = mpsc::channel();
    compile(module.as_ref().to_vec(), options, cache, move |outcome| {
        done.send(outcome).unwrap();
    });
    outcome.recv().unwrap()
}

/// Links a single module without host functions and WASI.
pub fn linked(module: Arc<CompiledModule>) -> Result<Arc<LinkedPlugin>, Error> {
    LinkedPlugin::new(&vec![("main".into(), module)], 0, &[], false)
}

/// Runs a call of a guest that asks for nothing to its end.
pub fn finish(call: Call) -> Result<Vec<u8>, Error> {
    finish_with(call, |request| {
        panic!("the guest should ask for nothing: {request:?}")
    })
}

/// Runs a call to its end, with `answer` to the guest's requests.
pub fn finish_with(
    mut call: Call,
    mut answer: impl FnMut(Request) -> Reply,
) -> Result<Vec<u8>, Error> {
    let mut reply = None;
    loop {
        match call.resume(Scheduler::Dirty, reply.take()) {
            Step::Done(mut finished) => {
                return finished.output().map(<[u8]>::to_vec).map_err(Error::clone);
            }
            Step::Parked(request) => reply = Some(answer(request)),
            Step::SliceOver => (),
            // Until instances that were discarded have been dropped.
            Step::Waiting(_) => std::thread::sleep(Duration::from_millis(1)),
        }
    }
}

/// Calls a function of a plugin whose guest asks for nothing.
pub fn run(plugin: &Arc<Plugin>, function: &str, input: &[u8]) -> Result<Vec<u8>, Error> {
    finish(plugin.start(function, input, OPTIONS)?)
}
