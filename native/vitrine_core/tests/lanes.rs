//! Compilations of several tenants at once: a small module does not wait for large ones.
// A test that panics is a test that fails.
#![allow(clippy::unwrap_used)]

use std::sync::mpsc;
use std::time::Duration;

use vitrine_core::{CompileOptions, compile};

/// A module of so many functions, different for each seed. A hundred functions compile in some milliseconds.
fn large(seed: usize, functions: usize) -> String {
    let code = functions_of(functions, |n| {
        let steps = (0..20).map(|step| {
            format!(
                "(local.set 0 (i32.add (i32.load offset={step} (local.get 0)) (i32.const {seed})))
                 (if (i32.lt_u (local.get 0) (i32.const {n})) (then (call $f)))"
            )
        });
        steps.collect()
    });
    format!("(module (memory 1) (func $f) {code})")
}

/// A module of a few kilobytes whose values are live for so long that it compiles as slowly as a large one.
fn hard(seed: usize) -> String {
    let code = functions_of(4, |_| {
        let (calls, adds) = ("call $f ".repeat(1_500), "i32.add ".repeat(1_500));
        format!("i32.const {seed} {calls} {adds} local.set 0")
    });
    format!("(module (func $f (result i32) (i32.const 1)) {code})")
}

fn functions_of(count: usize, body: impl Fn(usize) -> String) -> String {
    let functions = (0..count).map(|n| format!("(func (param i32) {})", body(n)));
    functions.collect()
}

/// Submits modules and after them a small one. Gives how many of them are finished before the small one.
fn finished_before_a_small_one(modules: Vec<String>) -> usize {
    let (done, finished) = mpsc::channel();
    let submit = |name: &'static str, text: String| {
        let bytes = wat::parse_str(text).unwrap();
        let done = done.clone();
        compile(bytes, CompileOptions::default(), None, move |outcome| {
            done.send(outcome.map(|_| name)).unwrap();
        });
    };
    let small = large(modules.len(), 10);
    let count = modules.len() + 1;
    for module in modules {
        submit("large", module);
    }
    // The small module comes when the others are being compiled.
    std::thread::sleep(Duration::from_millis(100));
    submit("small", small);
    let next = || finished.recv_timeout(Duration::from_secs(300)).unwrap();
    let order: Vec<_> = (0..count).map(|_| next().unwrap()).collect();
    order.iter().position(|name| *name == "small").unwrap()
}

fn some() -> usize {
    4 * std::thread::available_parallelism().map_or(1, |n| n.get())
}

#[test]
fn a_small_module_is_ready_before_large_ones_that_were_there_first() {
    let before = finished_before_a_small_one((0..some()).map(|n| large(n, 500)).collect());
    assert!(before < some() / 2, "{before} of {}", some());
}

#[test]
fn a_small_module_is_ready_before_short_ones_that_are_slow_to_compile() {
    let before = finished_before_a_small_one((0..some()).map(hard).collect());
    assert!(before < some() / 2, "{before} of {}", some());
}
