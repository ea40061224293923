//! Memory that is used again: a new instance finds nothing that an earlier one left in it.

// A test that panics is a test that fails.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use proptest::prelude::*;
use vitrine_core::{CompileOptions, LinkedPlugin, Plugin, PluginOptions, Settings};
use vitrine_test_support as support;
use vitrine_test_support::run;

/// `write` takes pairs of four bytes: the number of pages to grow to, and the address to write to. `check` returns 1 if
/// anything but the data is not zero, and 2 if the memory does not have its initial size.
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

fn linked(text: &str, dense: bool) -> Arc<LinkedPlugin> {
    let options = CompileOptions {
        settings: Settings {
            dense,
            ..Settings::default()
        },
        ..support::options()
    };
    support::linked(support::compiled(text, options).unwrap()).unwrap()
}

/// Pairs of a number of pages to grow to, and an address to write to.
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
    fn a_new_instance_finds_nothing_of_earlier_ones_in_its_memory(rounds in prop::collection::vec((0..4usize, writes()), 1..12)) {
        let layouts = [(16, false), (150_000, false), (16, true), (150_000, true)];
        let plugins = layouts.map(|(data, dense)| linked(&guest(data), dense));
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
