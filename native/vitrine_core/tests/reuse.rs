//! What one instance leaves in memory, the next ones do not find, though they have the same memory.

// A test that panics is a test that fails.
#![allow(clippy::unwrap_used)]

mod usual;

use std::sync::{Arc, mpsc};

use proptest::prelude::*;
use vitrine_core::{
    Call, CallOptions, CompileOptions, Error, LOG_OFF, LinkedPlugin, Plugin, PluginOptions,
    Scheduler, Settings, Step, compile,
};

const OPTIONS: CallOptions = CallOptions {
    timeout: None,
    log_level: LOG_OFF,
};

/// `write` takes pairs of four bytes: to how many pages the memory is to grow, and where to write. `check`
/// answers 1 if anything but the data is not zero, and 2 if the memory has another size than at first.
fn guest(data: usize) -> String {
    let data = "x".repeat(data);
    format!(
        r#"(module
      (import "extism:host/env" "input_length" (func $length (result i64)))
      (import "extism:host/env" "input_load_u64" (func $load (param i64) (result i64)))
      (memory 4 40)
      (data (i32.const 0) "{data}")
      (func (export "write") (local $at i64) (local $pair i64) (local $pages i32)
        (loop $next
          (if (i64.ge_u (local.get $at) (call $length)) (then (return)))
          (local.set $pair (call $load (local.get $at)))
          (local.set $pages (i32.sub (i32.wrap_i64 (local.get $pair)) (memory.size)))
          (if (i32.gt_s (local.get $pages) (i32.const 0))
            (then (drop (memory.grow (local.get $pages)))))
          (i64.store (i32.wrap_i64 (i64.shr_u (local.get $pair) (i64.const 32))) (i64.const -1))
          (local.set $at (i64.add (local.get $at) (i64.const 8)))
          (br $next)))
      (func (export "check") (result i32) (local $at i32)
        (if (i32.ne (memory.size) (i32.const 4)) (then (return (i32.const 2))))
        (drop (memory.grow (i32.const 36)))
        (loop $next
          (if (i64.ne (i64.load (local.get $at))
              (select (i64.const 0x7878787878787878) (i64.const 0)
                (i32.lt_u (local.get $at) (i32.const {length}))))
            (then (return (i32.const 1))))
          (local.set $at (i32.add (local.get $at) (i32.const 8)))
          (br_if $next (i32.lt_u (local.get $at) (i32.mul (memory.size) (i32.const 65536)))))
        (i32.const 0)))"#,
        length = data.len()
    )
}

fn links(text: &str, dense: bool) -> Arc<LinkedPlugin> {
    let (done, outcome) = mpsc::channel();
    let options = CompileOptions {
        settings: Settings {
            dense,
            ..Settings::default()
        },
        ..usual::options()
    };
    compile(text.as_bytes().to_vec(), options, None, move |outcome| {
        done.send(outcome).unwrap();
    });
    let (compiled, _) = outcome.recv().unwrap().unwrap();
    LinkedPlugin::new(&vec![("main".into(), compiled)], 0, &[], false).unwrap()
}

fn run(plugin: &Arc<Plugin>, function: &str, input: &[u8]) -> Result<(), Error> {
    finish(plugin.start(function, input, OPTIONS)?)
}

fn finish(mut call: Call) -> Result<(), Error> {
    loop {
        match call.resume(Scheduler::Dirty, None) {
            Step::Done(mut finished) => return finished.output().map(|_| ()).map_err(Error::clone),
            Step::SliceOver => (),
            Step::Waiting(_) => std::thread::yield_now(),
            Step::Parked(_) => panic!("the guest asks for nothing"),
        }
    }
}

/// Up to how many pages it grows, and where it writes.
fn writes() -> impl Strategy<Value = Vec<(u32, u32)>> {
    let pages = prop_oneof![3 => Just(4u32), 1 => 4..40u32];
    let write = pages.prop_flat_map(|pages| (Just(pages), 0..pages * 65_536 - 8));
    // Some write to so many pages that none of them is kept.
    prop_oneof![
        9 => prop::collection::vec(write.clone(), 0..40),
        1 => prop::collection::vec(write, 500..600)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn instances_begin_blank(rounds in prop::collection::vec((0..4usize, writes()), 1..12)) {
        let layouts = [(16, false), (150_000, false), (16, true), (150_000, true)];
        let plugins = layouts.map(|(data, dense)| links(&guest(data), dense));
        for (which, writes) in rounds {
            let fresh = || Plugin::new(plugins[which].clone(), PluginOptions::default()).unwrap();
            let plugin = fresh();
            let pairs = writes.iter().map(|(pages, at)| u64::from(*at) << 32 | u64::from(*pages));
            let input: Vec<u8> = pairs.flat_map(u64::to_le_bytes).collect();
            prop_assert!(run(&plugin, "write", &input).is_ok());
            drop(plugin);
            prop_assert!(run(&fresh(), "check", b"").is_ok());
        }
    }
}
