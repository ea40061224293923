//! The call protocol as an embedder sees it: steps, slices, requests, deadlines.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use vitrine_core::{
    Call, CallOptions, Error, HostFunction, LARGE, LOG_OFF, Limits, LogLevel, OnTrap, Plugin,
    PluginOptions, Reason, Reply, Request, Slice, Step, Value, ValueType, compile,
};

const ABI: &str = r#"
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "length" (func $length_of (param i64) (result i64)))
  (import "extism:host/env" "input_offset" (func $input (result i64)))
  (import "extism:host/env" "input_length" (func $length (result i64)))
  (import "extism:host/env" "output_set" (func $output (param i64 i64)))
  (import "extism:host/env" "log_info" (func $log (param i64)))
  (import "extism:host/user" "ask" (func $ask (param i64) (result i64)))"#;

const GUEST: &str = r#"
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

const OPTIONS: CallOptions = CallOptions {
    timeout: None,
    log_level: LOG_OFF,
};

fn within(ms: u64) -> CallOptions {
    CallOptions {
        timeout: Some(Duration::from_millis(ms)),
        ..OPTIONS
    }
}

fn load(text: &str, options: PluginOptions) -> Result<Arc<Plugin>, Error> {
    let (done, compiled) = mpsc::channel();
    compile(text.as_bytes().to_vec(), move |outcome| {
        done.send(outcome).unwrap();
    });
    Plugin::new(compiled.recv().unwrap()?, options)
}

fn plugin_with(options: PluginOptions) -> Arc<Plugin> {
    let ask = HostFunction {
        namespace: "extism:host/user".into(),
        name: "ask".into(),
        signature: None,
    };
    let options = PluginOptions {
        host_functions: vec![ask],
        ..options
    };
    let plugin = load(&format!("(module {ABI} {GUEST})"), options).unwrap();
    finish(plugin.initialise(OPTIONS).unwrap()).unwrap();
    plugin
}

fn plugin() -> Arc<Plugin> {
    plugin_with(PluginOptions::default())
}

/// Runs a call that asks for nothing to its end.
fn finish(mut call: Call) -> Result<Vec<u8>, Error> {
    let mut slice = Slice::Normal;
    loop {
        match call.resume(slice, None) {
            Step::Done(mut finished) => {
                return finished.output().map(<[u8]>::to_vec).map_err(Error::clone);
            }
            Step::SliceOver => slice = Slice::Dirty,
            Step::Parked(request) => panic!("unexpected {request:?}"),
            Step::Waiting(_) => panic!("nothing to wait for"),
        }
    }
}

/// Answers what a call is parked on, after which it asks for nothing more.
fn answer(mut call: Call, slice: Slice, reply: Reply) -> Result<Vec<u8>, Error> {
    match call.resume(slice, Some(reply)) {
        Step::Done(mut finished) => finished.output().map(<[u8]>::to_vec).map_err(Error::clone),
        // A thread may be held up by the operating system for longer than its slice.
        _ => finish(call),
    }
}

fn run(plugin: &Arc<Plugin>, function: &str, input: &[u8]) -> Result<Vec<u8>, Error> {
    finish(plugin.start(function, input, OPTIONS)?)
}

/// The request that a call parks on, on whichever slice.
fn parked(call: &mut Call, reply: Option<Reply>) -> Request {
    let mut reply = reply;
    let mut slice = call.next_slice();
    loop {
        match call.resume(slice, reply.take()) {
            Step::Parked(request) => return request,
            Step::SliceOver => slice = Slice::Dirty,
            _ => panic!("the call should park"),
        }
    }
}

#[test]
fn a_short_call_is_done_in_its_first_slice() {
    let plugin = plugin();
    let whole = (0..10).filter(|_| {
        let mut call = plugin.start("echo", b"hello", OPTIONS).unwrap();
        match call.resume(Slice::Normal, None) {
            Step::Done(mut finished) => finished.output().unwrap() == b"hello",
            _ => false,
        }
    });
    // Not always: the operating system may hold up a thread for longer than a slice.
    assert!(whole.count() > 5);
}

#[test]
fn a_fresh_instance_is_no_work_for_a_normal_scheduler() {
    let plugin = plugin();
    plugin.reset().unwrap();
    let mut call = plugin.start("echo", b"hello", OPTIONS).unwrap();
    assert!(matches!(call.resume(Slice::Normal, None), Step::SliceOver));
    assert_eq!(finish(call).unwrap(), b"hello");
}

#[test]
fn a_host_call_parks_with_its_arguments_and_goes_on_with_the_reply() {
    let plugin = plugin();
    let mut call = plugin.start("ask", b"question", OPTIONS).unwrap();
    let request = parked(&mut call, None);
    let args = vec![Value::Bytes(b"question".to_vec())];
    assert_eq!(
        request,
        Request::HostFunction {
            index: 0,
            args,
            results: 1
        }
    );
    let reply = Reply::Values(vec![Value::Bytes(b"answer".to_vec())]);
    assert_eq!(answer(call, Slice::Normal, reply).unwrap(), b"answer");
}

#[test]
fn a_parked_call_can_be_resumed_by_another_thread() {
    let plugin = plugin();
    let mut call = plugin.start("ask", b"?", OPTIONS).unwrap();
    parked(&mut call, None);
    let output = std::thread::spawn(move || {
        let reply = Reply::Values(vec![Value::Bytes(b"from afar".to_vec())]);
        answer(call, Slice::Dirty, reply).unwrap()
    });
    assert_eq!(output.join().unwrap(), b"from afar");
}

#[test]
fn a_reply_may_be_an_error_for_the_guest_or_the_end_of_it() {
    let plugin = plugin();
    for (reply, reason) in [
        (Reply::Error(b"no".to_vec()), Reason::GuestError),
        (Reply::Failed, Reason::HostFunction),
    ] {
        let mut call = plugin.start("ask", b"?", OPTIONS).unwrap();
        parked(&mut call, None);
        assert_eq!(
            answer(call, Slice::Normal, reply).unwrap_err().reason,
            reason
        );
    }
    assert_eq!(run(&plugin, "echo", b"well").unwrap(), b"well");
}

#[test]
fn a_large_argument_is_copied_on_a_dirty_slice() {
    let plugin = plugin();
    let input = vec![1; LARGE + 1];
    let mut call = plugin.start("ask", &input, OPTIONS).unwrap();
    assert!(matches!(call.resume(Slice::Normal, None), Step::SliceOver));
    let request = parked(&mut call, None);
    assert!(matches!(request, Request::HostFunction { args, .. } if args == [Value::Bytes(input)]));
}

#[test]
fn a_call_has_a_bounded_time_on_normal_slices_host_calls_included() {
    let plugin = plugin();
    let mut call = plugin.start("ask_forever", b"?", OPTIONS).unwrap();
    let mut rounds = 0;
    while call.next_slice() == Slice::Normal {
        let reply = (rounds > 0).then(|| Reply::Values(vec![Value::Bytes(vec![])]));
        call.resume(Slice::Normal, reply);
        rounds += 1;
        assert!(rounds < 1_000_000, "normal slices never end");
    }
    assert!(rounds > 0);
}

#[test]
fn an_endless_loop_ends_its_slices_and_its_deadline() {
    let plugin = plugin();
    let began = Instant::now();
    let mut call = plugin.start("spin", b"", within(100)).unwrap();
    assert!(matches!(call.resume(Slice::Normal, None), Step::SliceOver));
    assert!(matches!(call.resume(Slice::Dirty, None), Step::SliceOver));
    assert_eq!(finish(call).unwrap_err().reason, Reason::Timeout);
    assert!(began.elapsed() >= Duration::from_millis(100));
    assert_eq!(run(&plugin, "echo", b"well").unwrap(), b"well");
}

#[test]
fn a_cancelled_call_ends_and_its_siblings_do_not() {
    let (one, other) = (plugin(), plugin());
    let mut spinning = one.start("spin", b"", OPTIONS).unwrap();
    let mut sibling = other.start("spin", b"", within(300)).unwrap();
    assert!(matches!(
        spinning.resume(Slice::Dirty, None),
        Step::SliceOver
    ));
    one.cancel();
    assert_eq!(finish(spinning).unwrap_err().reason, Reason::Cancelled);
    assert!(matches!(
        sibling.resume(Slice::Dirty, None),
        Step::SliceOver
    ));
    assert_eq!(finish(sibling).unwrap_err().reason, Reason::Timeout);
}

#[test]
fn a_call_that_is_parked_notices_its_deadline_with_the_reply() {
    let plugin = plugin();
    let mut call = plugin.start("ask", b"?", within(20)).unwrap();
    parked(&mut call, None);
    std::thread::sleep(Duration::from_millis(30));
    let reply = Reply::Values(vec![Value::Bytes(vec![])]);
    let error = answer(call, Slice::Normal, reply).unwrap_err();
    assert_eq!(error.reason, Reason::Timeout);
}

#[test]
fn one_call_at_a_time() {
    let plugin = plugin();
    let mut call = plugin.start("ask", b"?", OPTIONS).unwrap();
    parked(&mut call, None);
    assert!(!plugin.is_idle());
    assert_eq!(run(&plugin, "echo", b"").unwrap_err().reason, Reason::Busy);
    assert_eq!(plugin.reset().unwrap_err().reason, Reason::Busy);
    drop(call);
    assert!(plugin.is_idle());
    assert_eq!(run(&plugin, "echo", b"well").unwrap(), b"well");
}

#[test]
fn a_call_that_is_dropped_loses_the_instance_and_no_more() {
    let plugin = plugin();
    run(&plugin, "write", b"").unwrap();
    assert_eq!(run(&plugin, "read", b"").unwrap_err().code, Some(7));
    let mut call = plugin.start("ask", b"?", OPTIONS).unwrap();
    parked(&mut call, None);
    drop(call);
    assert_eq!(run(&plugin, "read", b""), Ok(vec![]));
}

#[test]
fn after_a_trap_the_instance_is_replaced_or_kept_as_asked() {
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
    assert!(matches!(call.resume(Slice::Dirty, None), Step::SliceOver));
    plugin.close();
    assert_eq!(finish(call).unwrap_err().reason, Reason::Cancelled);
    assert_eq!(
        run(&plugin, "echo", b"").unwrap_err().reason,
        Reason::Closed
    );
}

#[test]
fn a_log_line_parks_only_if_its_level_is_wanted() {
    let plugin = plugin();
    let options = CallOptions {
        log_level: LogLevel::Info as i32,
        ..OPTIONS
    };
    let mut call = plugin.start("log", b"line", options).unwrap();
    let message = b"line".to_vec();
    let level = LogLevel::Info;
    assert_eq!(parked(&mut call, None), Request::Log { level, message });
    drop(call);
    let options = CallOptions {
        log_level: LogLevel::Warn as i32,
        ..OPTIONS
    };
    assert!(finish(plugin.start("log", b"line", options).unwrap()).is_ok());
    assert!(run(&plugin, "log", b"line").is_ok());
}

#[test]
fn a_limit_of_memory_is_an_error_and_not_the_end() {
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
fn an_initialiser_that_never_ends_has_a_deadline() {
    let text = r#"(module (func $f (loop (br 0))) (start $f))"#;
    let plugin = load(text, PluginOptions::default()).unwrap();
    let call = plugin.initialise(within(20)).unwrap();
    assert_eq!(finish(call).unwrap_err().reason, Reason::Timeout);
}

#[test]
fn what_cannot_be_compiled_or_linked_is_told_by_name() {
    let reason = |text: &str| load(text, PluginOptions::default()).err().map(|e| e.reason);
    assert_eq!(reason("(module (func i32.const))"), Some(Reason::Compile));
    let missing = r#"(module (import "app" "missing" (func)))"#;
    assert_eq!(reason(missing), Some(Reason::Link));
    let typed = HostFunction {
        namespace: "app".into(),
        name: "missing".into(),
        signature: Some((vec![ValueType::I32], vec![])),
    };
    let options = PluginOptions {
        host_functions: vec![typed],
        ..PluginOptions::default()
    };
    let error = load(missing, options).err().unwrap();
    assert!(error.message.contains("app::missing"), "{error}");
}

#[test]
fn a_module_is_compiled_once_for_all_that_want_it_and_freed_after_the_last() {
    let text = "(module (func (export \"only_here\")))";
    let (one, other) = (
        load(text, PluginOptions::default()).unwrap(),
        load(text, PluginOptions::default()).unwrap(),
    );
    assert!(Arc::ptr_eq(one.compiled(), other.compiled()));
    let weak = Arc::downgrade(one.compiled());
    drop((one, other));
    let waiting = Instant::now();
    while weak.strong_count() > 0 {
        assert!(
            waiting.elapsed() < Duration::from_secs(10),
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
        wasi: true,
        ..PluginOptions::default()
    };
    let plugin = load(text, options).unwrap();
    finish(plugin.initialise(OPTIONS).unwrap()).unwrap();
    let mut call = plugin.start("sleep", b"", within(5_000)).unwrap();
    let Step::Waiting(Some(left)) = call.resume(Slice::Normal, None) else {
        panic!("it should wait");
    };
    assert!(left <= Duration::from_secs(5));
    let woken = Arc::new(AtomicBool::new(false));
    let notify = woken.clone();
    if call.arm(Box::new(move || notify.store(true, SeqCst))) {
        let waiting = Instant::now();
        while !woken.load(SeqCst) {
            assert!(
                waiting.elapsed() < Duration::from_secs(5),
                "it is never woken"
            );
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    assert!(finish(call).is_ok());
}
