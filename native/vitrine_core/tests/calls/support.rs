//! A guest with a function for every kind of step, and functions that drive its calls.

use std::sync::Arc;
use std::time::Duration;

use vitrine_core::{
    Call, CallOptions, CompiledModule, Error, HostFunction, LinkedPlugin, Plugin, PluginOptions,
    Reply, Request, Scheduler, Step,
};

pub use vitrine_test_support::OPTIONS;

pub const ABI: &str = r#"
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "length" (func $length_of (param i64) (result i64)))
  (import "extism:host/env" "input_offset" (func $input (result i64)))
  (import "extism:host/env" "input_length" (func $length (result i64)))
  (import "extism:host/env" "output_set" (func $output (param i64 i64)))
  (import "extism:host/env" "log_info" (func $log (param i64)))
  (import "extism:host/user" "ask" (func $ask (param i64) (result i64)))"#;

pub const GUEST: &str = r#"
  (memory 1)
  (func (export "echo") (call $output (call $input) (call $length)))
  (func (export "ask") (local $answer i64)
    (local.set $answer (call $ask (call $input)))
    (call $output (local.get $answer) (call $length_of (local.get $answer))))
  (func (export "spin") (loop (br 0)))
  (func (export "ask_forever") (loop (drop (call $ask (call $input))) (br 0)))
  (func (export "log") (call $log (call $input)))
  (func (export "trap") unreachable)
  (func (export "write") (i32.store (i32.const 0) (i32.const 7)))
  (func (export "read") (result i32) (i32.load (i32.const 0)))"#;

pub fn within(ms: u64) -> CallOptions {
    CallOptions {
        timeout: Some(Duration::from_millis(ms)),
        ..OPTIONS
    }
}

pub fn compiled(text: &str) -> Result<Arc<CompiledModule>, Error> {
    vitrine_test_support::compiled(text, vitrine_test_support::options())
}

pub fn load_with(
    text: &str,
    functions: &[HostFunction],
    options: PluginOptions,
) -> Result<Arc<Plugin>, Error> {
    let modules = vec![("main".into(), compiled(text)?)];
    let linked = LinkedPlugin::new(&modules, 0, functions, options.wasi.is_some())?;
    Plugin::new(linked, options)
}

pub fn load(text: &str, options: PluginOptions) -> Result<Arc<Plugin>, Error> {
    load_with(text, &[], options)
}

pub fn plugin_with(options: PluginOptions) -> Arc<Plugin> {
    let ask = HostFunction {
        namespace: "extism:host/user".into(),
        name: "ask".into(),
        signature: None,
    };
    let plugin = load_with(&format!("(module {ABI} {GUEST})"), &[ask], options).unwrap();
    finish(plugin.initialise(OPTIONS).unwrap()).unwrap();
    plugin
}

pub fn plugin() -> Arc<Plugin> {
    plugin_with(PluginOptions::default())
}

/// Runs a call that asks for nothing to its end, first on a normal scheduler.
pub fn finish(mut call: Call) -> Result<Vec<u8>, Error> {
    let mut scheduler = Scheduler::Normal;
    loop {
        match call.resume(scheduler, None) {
            Step::Done(mut finished) => {
                return finished.output().map(<[u8]>::to_vec).map_err(Error::clone);
            }
            Step::SliceOver => scheduler = Scheduler::Dirty,
            Step::Parked(request) => panic!("unexpected {request:?}"),
            // Mostly for discarded instances that are not dropped yet.
            Step::Waiting(_) => {
                std::thread::sleep(Duration::from_millis(1));
                scheduler = Scheduler::Dirty;
            }
        }
    }
}

/// Answers the request that a call is parked on. The call must ask for nothing more.
pub fn answer(mut call: Call, scheduler: Scheduler, reply: Reply) -> Result<Vec<u8>, Error> {
    match call.resume(scheduler, Some(reply)) {
        Step::Done(mut finished) => finished.output().map(<[u8]>::to_vec).map_err(Error::clone),
        // A thread may be held up by the operating system for longer than its slice.
        _ => finish(call),
    }
}

pub fn run(plugin: &Arc<Plugin>, function: &str, input: &[u8]) -> Result<Vec<u8>, Error> {
    finish(plugin.start(function, input, OPTIONS)?)
}

/// The request that a call parks on, in any of its slices.
pub fn parked(call: &mut Call, reply: Option<Reply>) -> Request {
    let mut reply = reply;
    let mut scheduler = call.next_scheduler();
    loop {
        match call.resume(scheduler, reply.take()) {
            Step::Parked(request) => return request,
            Step::SliceOver => scheduler = Scheduler::Dirty,
            // For discarded instances that are not dropped yet.
            Step::Waiting(_) => {
                std::thread::sleep(Duration::from_millis(1));
                scheduler = Scheduler::Dirty;
            }
            Step::Done(_) => panic!("the call should park"),
        }
    }
}
