//! The life of plugins and instances: how they are made, limited, dropped, replaced and closed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

use crate::support::{
    OPTIONS, compiled, finish, load, load_with, plugin, plugin_with, run, within,
};
use vitrine_core::{
    HostFunction, Limits, LinkedPlugin, OnTrap, Plugin, PluginOptions, Reason, Scheduler, Step,
    ValueType, Wasi,
};

#[test]
fn after_a_trap_the_instance_is_reset_or_kept_as_on_trap_says() {
    for (on_trap, expected) in [(OnTrap::Reset, Ok(vec![])), (OnTrap::Keep, Err(Some(7)))] {
        let plugin = plugin_with(PluginOptions {
            on_trap,
            ..PluginOptions::default()
        });
        run(&plugin, "write", b"").unwrap();
        let trap = run(&plugin, "trap", b"").unwrap_err();
        assert_eq!(trap.reason, Reason::Trap);
        assert!(!trap.backtrace.is_empty());
        assert_eq!(run(&plugin, "read", b"").map_err(|e| e.code), expected);
    }
}

#[test]
fn a_closed_plugin_stays_closed() {
    let plugin = plugin();
    let mut call = plugin.start("spin", b"", OPTIONS).unwrap();
    assert!(matches!(
        call.resume(Scheduler::Dirty, None),
        Step::SliceOver
    ));
    plugin.close();
    assert_eq!(finish(call).unwrap_err().reason, Reason::Cancelled);
    assert_eq!(
        run(&plugin, "echo", b"").unwrap_err().reason,
        Reason::Closed
    );
}

#[test]
fn an_input_over_the_memory_limit_is_an_error_and_the_plugin_still_works() {
    let plugin = plugin_with(PluginOptions {
        limits: Limits {
            memory: 1 << 20,
            ..Limits::default()
        },
        ..PluginOptions::default()
    });
    let error = plugin.start("echo", &vec![0; 8 << 20], OPTIONS).err();
    assert_eq!(error.map(|e| e.reason), Some(Reason::OutOfMemory));
    assert_eq!(run(&plugin, "echo", b"small").unwrap(), b"small");
}

#[test]
fn an_endless_initialiser_times_out() {
    let text = r#"(module (func $f (loop (br 0))) (start $f))"#;
    let plugin = load(text, PluginOptions::default()).unwrap();
    let call = plugin.initialise(within(20)).unwrap();
    assert_eq!(finish(call).unwrap_err().reason, Reason::Timeout);
}

#[test]
fn compile_and_link_errors_have_their_reason_and_name_the_import() {
    let reason = |text: &str| load(text, PluginOptions::default()).err().map(|e| e.reason);
    assert_eq!(reason("(module (func i32.const))"), Some(Reason::Compile));
    let missing = r#"(module (import "app" "missing" (func)))"#;
    assert_eq!(reason(missing), Some(Reason::Link));
    let typed = HostFunction {
        namespace: "app".into(),
        name: "missing".into(),
        signature: Some((vec![ValueType::I32], vec![])),
    };
    let error = load_with(missing, &[typed], PluginOptions::default());
    let error = error.err().unwrap();
    assert!(error.message.contains(r#""app"."missing""#), "{error}");
}

#[test]
fn a_module_is_shared_by_its_plugins_and_dropped_after_the_last() {
    let text = "(module (func (export \"only_here\")))";
    let (one, other) = (
        load(text, PluginOptions::default()).unwrap(),
        load(text, PluginOptions::default()).unwrap(),
    );
    assert!(Arc::ptr_eq(one.main(), other.main()));
    let weak = Arc::downgrade(one.main());
    drop((one, other));
    let waiting = Instant::now();
    while weak.strong_count() > 0 {
        assert!(
            waiting.elapsed() < Duration::from_secs(60),
            "it is never freed"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_guest_that_sleeps_waits_and_is_woken() {
    let text = r#"(module
      (import "wasi_snapshot_preview1" "poll_oneoff"
        (func $poll (param i32 i32 i32 i32) (result i32)))
      (memory (export "memory") 1)
      (func (export "sleep")
        (i32.store (i32.const 16) (i32.const 1))
        (i64.store (i32.const 24) (i64.const 30000000))
        (drop (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128)))))"#;
    let options = PluginOptions {
        wasi: Some(Wasi::default()),
        ..PluginOptions::default()
    };
    let plugin = load(text, options).unwrap();
    finish(plugin.initialise(OPTIONS).unwrap()).unwrap();
    let mut call = plugin.start("sleep", b"", within(60_000)).unwrap();
    let mut scheduler = Scheduler::Normal;
    let left = loop {
        match call.resume(scheduler, None) {
            Step::Waiting(Some(left)) => break left,
            // The system held the thread up for longer than a slice.
            Step::SliceOver => scheduler = Scheduler::Dirty,
            _ => panic!("it should wait"),
        }
    };
    assert!(left <= Duration::from_secs(60));
    let woken = Arc::new(AtomicBool::new(false));
    let notify = woken.clone();
    if call.arm(Box::new(move || notify.store(true, SeqCst))) {
        let waiting = Instant::now();
        while !woken.load(SeqCst) {
            assert!(
                waiting.elapsed() < Duration::from_secs(60),
                "it is never woken"
            );
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    assert!(finish(call).is_ok());
}

#[test]
fn plugins_of_one_linked_plugin_share_code_but_no_state() {
    let text = r#"(module (global $n (mut i32) (i32.const 0))
      (func (export "count") (result i32)
        (global.set $n (i32.add (global.get $n) (i32.const 1))) (global.get $n)))"#;
    let modules = vec![("main".into(), compiled(text).unwrap())];
    let linked = LinkedPlugin::new(&modules, 0, &[], false).unwrap();
    let weak = Arc::downgrade(&linked);
    let make = || Plugin::new(linked.clone(), PluginOptions::default()).unwrap();
    let (one, other) = (make(), make());
    assert!(Arc::ptr_eq(one.main(), other.main()));
    let count = |plugin| run(plugin, "count", b"").unwrap_err().code;
    assert_eq!(
        (count(&one), count(&one), count(&other)),
        (Some(1), Some(2), Some(1))
    );
    drop((linked, modules, one, other));
    let waiting = Instant::now();
    while weak.strong_count() > 0 {
        assert!(
            waiting.elapsed() < Duration::from_secs(60),
            "they are never freed"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn wasi_must_be_granted_exactly_if_the_plugin_is_linked_with_it() {
    let modules = vec![("main".into(), compiled("(module)").unwrap())];
    for has_wasi in [false, true] {
        let linked = LinkedPlugin::new(&modules, 0, &[], has_wasi).unwrap();
        for granted in [None, Some(Wasi::default())] {
            let fits = granted.is_some() == has_wasi;
            let options = PluginOptions {
                wasi: granted,
                ..PluginOptions::default()
            };
            let made = Plugin::new(linked.clone(), options);
            assert_eq!(
                made.err().map(|e| e.reason),
                (!fits).then_some(Reason::Link)
            );
        }
    }
}
