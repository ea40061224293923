//! Many instances: the memory, mappings and addresses that they take, and what is left of them.
#![cfg(target_os = "linux")]
// A test that panics is a test that fails.
#![allow(clippy::unwrap_used)]

use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, setrlimit};

use vitrine_core::{CompileOptions, LinkedPlugin, Plugin, PluginOptions, Reason, Settings};
use vitrine_test_support as support;
use vitrine_test_support::{OPTIONS, finish, run};

const GUEST: &str = r#"(module
  (import "extism:host/env" "input_offset" (func $input (result i64)))
  (import "extism:host/env" "input_length" (func $length (result i64)))
  (import "extism:host/env" "output_set" (func $output (param i64 i64)))
  (memory (export "memory") 1)
  (data (i32.const 8) "data")
  (func (export "echo") (call $output (call $input) (call $length)))
  (func (export "take"))
  (func (export "write") (i32.store (i32.const 0) (i32.const 7)))
  (func (export "read") (result i32) (i32.load (i32.const 0)))
  ;; 1 if what stands at 8 is not the data.
  (func (export "data") (result i32)
    (i32.ne (i32.load (i32.const 8)) (i32.const 0x61746164)))
  ;; Grows to 96 MiB and writes at its end; 1 if it cannot.
  (func (export "grow") (result i32)
    (if (i32.lt_s (memory.grow (i32.const 1535)) (i32.const 0)) (then (return (i32.const 1))))
    (i32.store (i32.const 100663292) (i32.const 7))
    (i32.ne (i32.load (i32.const 50331648)) (i32.const 0)))
  (func (export "beyond") (result i32) (i32.load (i32.const 65533)))
  (func (export "far") (result i32) (i32.load offset=4294967280 (i32.const 15)))
  (func $deep (export "deep") (call $deep) (call $deep)))"#;

/// The tests measure the whole process, so only one of them runs at a time.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn linked(dense: bool) -> Arc<LinkedPlugin> {
    linked_from(GUEST, dense)
}

fn linked_from(text: &str, dense: bool) -> Arc<LinkedPlugin> {
    let options = CompileOptions {
        settings: Settings {
            dense,
            ..Settings::default()
        },
        ..support::options()
    };
    support::linked(support::compiled(text, options).unwrap()).unwrap()
}

fn plugin(linked: &Arc<LinkedPlugin>) -> Arc<Plugin> {
    let plugin = Plugin::new(linked.clone(), PluginOptions::default()).unwrap();
    finish(plugin.initialise(OPTIONS).unwrap()).unwrap();
    plugin
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn addresses_gib() -> u64 {
    let size = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = size.split_whitespace().next().unwrap().parse().unwrap();
    (pages * rustix::param::page_size() as u64) >> 30
}

fn mappings() -> usize {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    maps.lines().count()
}

fn eventually(what: impl Fn() -> bool) -> bool {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(20) {
        if what() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    false
}

#[test]
fn a_dense_instance_takes_little_memory_and_no_mappings_except_for_stacks() {
    let _alone = alone();
    let linked = linked(true);
    run(&plugin(&linked), "echo", b"first").unwrap();
    let (resident, mapped) = (resident_kib(), mappings());
    let plugins: Vec<_> = (0..3000).map(|_| plugin(&linked)).collect();
    for (plugin, number) in plugins.iter().zip(0_u64..) {
        let input = number.to_le_bytes();
        assert_eq!(run(plugin, "echo", &input).unwrap(), input);
    }
    // Instances of earlier tests may still be dropped, so that the process can have less memory than before.
    let each = resident_kib().saturating_sub(resident) / 3000;
    assert!(each < 64, "{each} KiB each");
    // Stacks are mappings before Linux 6.13, two each.
    let more = mappings().saturating_sub(mapped);
    assert!(
        more < 100 || (5000..7000).contains(&more),
        "{more} mappings"
    );
}

#[test]
fn an_instance_takes_no_more_mappings_than_are_counted_for_it() {
    let _alone = alone();
    // With the kernel's memory, these are as many as an instance can have.
    let own = 15;
    let (much, memories) = ("x".repeat(150_000), "(memory 4)".repeat(own));
    // Instances that are dropped would give mappings back.
    let mut all = Vec::new();
    for (text, least) in [
        (format!("(module {memories} (table 1 externref))"), 2 * own),
        (
            format!(r#"(module (memory 4) (data (i32.const 5000) "{much}"))"#),
            3,
        ),
        ("(module)".into(), 1),
    ] {
        let linked = linked_from(&text, false);
        let before = mappings();
        all.extend((0..100).map(|_| plugin(&linked)));
        // Other threads map memory, too.
        let each = mappings().saturating_sub(before) / 100;
        assert!(each >= least, "{each}");
        let counted = linked.mappings();
        assert!(each as u64 <= counted, "{each} of {counted}");
    }
}

#[test]
fn dense_memory_is_reset_for_each_instance() {
    let _alone = alone();
    let plugin = plugin(&linked(true));
    for _ in 0..10 {
        assert_eq!(run(&plugin, "read", b""), Ok(vec![]));
        assert_eq!(run(&plugin, "data", b""), Ok(vec![]));
        run(&plugin, "write", b"").unwrap();
        assert_eq!(run(&plugin, "read", b"").unwrap_err().code, Some(7));
        plugin.reset().unwrap();
    }
}

#[test]
fn dense_memory_grows_beyond_its_slot() {
    let _alone = alone();
    let plugin = plugin(&linked(true));
    run(&plugin, "write", b"").unwrap();
    assert_eq!(run(&plugin, "grow", b""), Ok(vec![]));
    assert_eq!(run(&plugin, "read", b"").unwrap_err().code, Some(7));
    assert_eq!(run(&plugin, "data", b""), Ok(vec![]));
    let large = vec![1; 70 << 20];
    assert!(run(&plugin, "echo", &large).unwrap() == large);
}

#[test]
fn dense_memory_that_was_moved_returns_its_addresses_when_it_is_dropped() {
    let _alone = alone();
    // They grow to more than a slot has: one from nothing, and one from a page.
    let linked = [0, 1].map(|pages| {
        let text = format!(
            r#"(module (memory {pages})
              (func (export "grow") (result i32)
                (i32.ne (memory.grow (i32.const 1025)) (i32.const {pages}))))"#
        );
        linked_from(&text, true)
    });
    let grow = || {
        for linked in &linked {
            assert_eq!(run(&plugin(linked), "grow", b""), Ok(vec![]));
        }
    };
    grow();
    let before = addresses_gib();
    (0..20).for_each(|_| grow());
    // Each had 4 GiB.
    assert!(eventually(|| addresses_gib() < before + 20));
}

/// Runs this test again in a process of its own, and waits for it. Gives false in that process.
fn elsewhere(test: &str) -> bool {
    const NAME: &str = "VITRINE_TEST_ALONE";
    if std::env::var(NAME).is_ok() {
        return false;
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    let output = command.args([test, "--exact"]).env(NAME, "1").output();
    let output = output.unwrap();
    assert!(output.status.success(), "{output:?}");
    true
}

#[test]
fn kept_memories_are_dropped_when_address_space_runs_out() {
    if elsewhere("kept_memories_are_dropped_when_address_space_runs_out") {
        return;
    }
    let limit = Some(60 << 30);
    let limit = Rlimit {
        current: limit,
        maximum: limit,
    };
    setrlimit(Resource::As, limit).unwrap();
    let few = linked(false);
    let plugins = || {
        let made = (0..20).map_while(|_| {
            let plugin = Plugin::new(few.clone(), PluginOptions::default()).unwrap();
            run(&plugin, "write", b"").ok().map(|_| plugin)
        });
        made.collect::<Vec<_>>()
    };
    let made = plugins();
    assert!((3..20).contains(&made.len()), "{}", made.len());
    drop(made);
    // A memory with much data does not use the memories that are kept.
    let much = linked_from(
        &format!(
            r#"(module (memory 4) (data (i32.const 8) "{}") (func (export "run")))"#,
            "x".repeat(150_000)
        ),
        false,
    );
    assert!(eventually(|| {
        let plugin = Plugin::new(much.clone(), PluginOptions::default()).unwrap();
        run(&plugin, "run", b"").is_ok()
    }));
    assert!(eventually(|| plugins().len() > 2));
}

#[test]
fn out_of_bounds_accesses_and_stack_overflows_trap_in_both_layouts() {
    let _alone = alone();
    for dense in [false, true] {
        let plugin = plugin(&linked(dense));
        for (function, trap) in [
            ("beyond", "out of bounds memory access"),
            ("far", "out of bounds memory access"),
            ("deep", "call stack exhausted"),
        ] {
            let error = run(&plugin, function, b"").unwrap_err();
            assert_eq!(error.reason, Reason::Trap);
            assert_eq!(error.trap.as_deref(), Some(trap), "{function}");
        }
        assert_eq!(run(&plugin, "echo", b"well").unwrap(), b"well");
    }
}

#[test]
fn memory_of_a_large_call_is_decommitted() {
    let _alone = alone();
    let input = vec![1; 100 << 20];
    for dense in [false, true] {
        let plugin = plugin(&linked(dense));
        run(&plugin, "echo", b"small").unwrap();
        let before = resident_kib();
        run(&plugin, "take", &input).unwrap();
        assert!(resident_kib() > before + (90 << 10));
        assert!(
            eventually(|| resident_kib() < before + (10 << 10)),
            "{} KiB are left of {before}",
            resident_kib()
        );
        assert_eq!(run(&plugin, "echo", b"small").unwrap(), b"small");
        // Small calls do not keep it resident.
        run(&plugin, "take", &input).unwrap();
        assert!(eventually(|| {
            run(&plugin, "echo", b"small").unwrap();
            resident_kib() < before + (10 << 10)
        }));
    }
}
