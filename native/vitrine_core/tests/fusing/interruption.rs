//! Interruption of copy loops that copy many elements at once: also in the middle of a very large block.

use std::sync::Arc;
use std::time::Duration;

use vitrine_core::{
    CallOptions, CompileOptions, LinkedPlugin, OnTrap, Plugin, PluginOptions, Reason, Scheduler,
    Step,
};

use crate::support::{IMPORTS, OPTIONS, compiled, finish, word, words};

/// Takes tens of milliseconds to copy.
const SIZE: u64 = 128 << 20;

/// A place near the end of it. The last turns of a loop are interrupted in any case, by the functions that they call.
const LATE: u64 = SIZE - (1 << 20);

/// `load` and `store` take a number and a size: they copy a block of the size with the number in its first word
/// and, if it has one, its late one, from the kernel's memory or to it. `loaded` and `stored` give these words of
/// where the largest block was copied to.
fn plugin(shared: bool) -> Arc<Plugin> {
    let load = "(i64.store (local.get $g) (call $load_u64 (local.get $p)))";
    let store = "(call $store_u64 (local.get $p) (i64.load (local.get $g)))";
    let locals = "(local $p i64) (local $g i32) (local $block i64) (local $size i64)";
    let [load, store] = [load, store].map(|copy| {
        format!(
            r#"(loop $turn {copy}
              (local.set $p (i64.add (local.get $p) (i64.const 8)))
              (local.set $g (i32.add (local.get $g) (i32.const 8)))
              (local.set $size (i64.sub (local.get $size) (i64.const 8)))
              (br_if $turn (i64.gt_s (local.get $size) (i64.const 0))))"#
        )
    });
    let others = match shared {
        true => format!("(func {locals} {load} {store})"),
        false => String::new(),
    };
    let pages = SIZE >> 16;
    let text = format!(
        r#"(module {IMPORTS} (memory {pages})
          {others}
          (func $number (result i64) (call $input_load_u64 (i64.const 0)))
          (func $size (result i64) (call $input_load_u64 (i64.const 8)))
          (func $give (param i64 i64) (local $block i64)
            (local.set $block (call $alloc (i64.const 16)))
            (call $store_u64 (local.get $block) (local.get 0))
            (call $store_u64 (i64.add (local.get $block) (i64.const 8)) (local.get 1))
            (call $output_set (local.get $block) (i64.const 16)))
          (func (export "load") {locals}
            (local.set $size (call $size))
            (local.set $block (call $alloc (local.get $size)))
            (local.set $p (local.get $block))
            (call $store_u64 (local.get $p) (call $number))
            (if (i64.gt_u (local.get $size) (i64.const {LATE}))
              (then (call $store_u64 (i64.add (local.get $p) (i64.const {LATE})) (call $number))))
            {load})
          (func (export "store") {locals}
            (local.set $size (call $size))
            (i64.store (i32.const 0) (call $number))
            (i64.store (i32.const {LATE}) (call $number))
            (local.set $block (call $alloc (local.get $size)))
            (local.set $p (local.get $block))
            {store})
          (func (export "loaded")
            (call $give (i64.load (i32.const 0)) (i64.load (i32.const {LATE}))))
          (func (export "stored") (local $block i64)
            ;; The block is where the other one was, with what that had.
            (local.set $block (call $alloc (i64.const {SIZE})))
            (call $give (call $load_u64 (local.get $block))
              (call $load_u64 (i64.add (local.get $block) (i64.const {LATE}))))))"#
    );
    let main = compiled(text.as_bytes(), CompileOptions::default()).unwrap();
    assert!(main.is_fused());
    let linked = LinkedPlugin::new(&vec![("main".into(), main)], 0, &[], false).unwrap();
    let options = PluginOptions {
        on_trap: OnTrap::Keep,
        ..PluginOptions::default()
    };
    let plugin = Plugin::new(linked, options).unwrap();
    finish(plugin.initialise(OPTIONS).unwrap()).unwrap();
    plugin
}

/// The first word and the late word that the last call of a loop copied.
fn seen(plugin: &Arc<Plugin>, function: &str) -> [u64; 2] {
    // An input of the same length, so that blocks are where they were.
    let call = plugin.start(function, &words(&[0, 0]), OPTIONS).unwrap();
    let output = finish(call).unwrap();
    [word(&output), word(&output[8..])]
}

/// Calls a loop with the largest block, and has it ended by `end`, which may come too late. The operating system may
/// hold up this thread before the loop has begun, or the one that interrupts it until all is copied: then once more.
fn in_the_middle(
    function: &str,
    look: &str,
    expected: Reason,
    end: impl Fn(&Arc<Plugin>, &[u8], u32) -> Option<Reason>,
) {
    for shared in [false, true] {
        let plugin = plugin(shared);
        let begun = (1..=20).any(|attempt| {
            let number = u64::from(attempt) << 32;
            let reason = end(&plugin, &words(&[number, SIZE]), attempt);
            assert!(reason.is_none() || reason == Some(expected), "{reason:?}");
            let [first, late] = seen(&plugin, look);
            reason.is_some() && first == number && late != number
        });
        assert!(begun, "{function} was never interrupted in the middle");
        // The memory can still be used. A smaller block begins where the largest one did.
        let input = words(&[77, 1 << 20]);
        finish(plugin.start(function, &input, OPTIONS).unwrap()).unwrap();
        assert_eq!(seen(&plugin, look)[0], 77);
    }
}

fn timed_out(plugin: &Arc<Plugin>, function: &str, input: &[u8], attempt: u32) -> Option<Reason> {
    let options = CallOptions {
        timeout: Some(Duration::from_millis(2) * attempt),
        ..OPTIONS
    };
    let call = plugin.start(function, input, options).unwrap();
    finish(call).err().map(|error| error.reason)
}

fn cancelled(plugin: &Arc<Plugin>, function: &str, input: &[u8]) -> Option<Reason> {
    let mut call = plugin.start(function, input, OPTIONS).unwrap();
    if !matches!(call.resume(Scheduler::Normal, None), Step::SliceOver) {
        return None;
    }
    plugin.cancel();
    finish(call).err().map(|error| error.reason)
}

#[test]
fn a_fused_load_loop_can_time_out() {
    in_the_middle(
        "load",
        "loaded",
        Reason::Timeout,
        |plugin, input, attempt| timed_out(plugin, "load", input, attempt),
    );
}

#[test]
fn a_fused_load_loop_can_be_cancelled() {
    in_the_middle("load", "loaded", Reason::Cancelled, |plugin, input, _| {
        cancelled(plugin, "load", input)
    });
}

#[test]
fn a_fused_store_loop_can_time_out() {
    in_the_middle(
        "store",
        "stored",
        Reason::Timeout,
        |plugin, input, attempt| timed_out(plugin, "store", input, attempt),
    );
}

#[test]
fn a_fused_store_loop_can_be_cancelled() {
    in_the_middle("store", "stored", Reason::Cancelled, |plugin, input, _| {
        cancelled(plugin, "store", input)
    });
}
