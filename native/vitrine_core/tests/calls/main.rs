//! The call protocol as an embedder sees it: steps, slices, requests, deadlines.

// A test that panics is a test that fails.
#![allow(clippy::unwrap_used)]

mod http;
mod instantiation;
mod lifecycle;
mod support;

use std::time::{Duration, Instant};

use support::{OPTIONS, answer, finish, parked, plugin, run, within};
use vitrine_core::{CallOptions, LARGE, LogLevel, Reason, Reply, Request, Scheduler, Step, Value};

#[test]
fn a_short_call_is_done_in_its_first_slice() {
    let plugin = plugin();
    let whole = (0..10).filter(|_| {
        let mut call = plugin.start("echo", b"hello", OPTIONS).unwrap();
        match call.resume(Scheduler::Normal, None) {
            Step::Done(mut finished) => finished.output().unwrap() == b"hello",
            _ => false,
        }
    });
    // Not each time: the operating system may hold up a thread for longer than a slice.
    assert!(whole.count() > 5);
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
    assert_eq!(answer(call, Scheduler::Normal, reply).unwrap(), b"answer");
}

#[test]
fn a_parked_call_can_be_resumed_by_another_thread() {
    let plugin = plugin();
    let mut call = plugin.start("ask", b"?", OPTIONS).unwrap();
    parked(&mut call, None);
    let output = std::thread::spawn(move || {
        let reply = Reply::Values(vec![Value::Bytes(b"from afar".to_vec())]);
        answer(call, Scheduler::Dirty, reply).unwrap()
    });
    assert_eq!(output.join().unwrap(), b"from afar");
}

#[test]
fn an_error_reply_reaches_the_guest_and_a_failed_reply_ends_the_call() {
    let plugin = plugin();
    for (reply, reason) in [
        (Reply::Error(b"no".to_vec()), Reason::GuestError),
        (Reply::Failed, Reason::HostFunction),
    ] {
        let mut call = plugin.start("ask", b"?", OPTIONS).unwrap();
        parked(&mut call, None);
        assert_eq!(
            answer(call, Scheduler::Normal, reply).unwrap_err().reason,
            reason
        );
    }
    assert_eq!(run(&plugin, "echo", b"well").unwrap(), b"well");
}

#[test]
fn a_reply_with_values_of_other_types_ends_the_call() {
    let plugin = plugin();
    for values in [
        vec![],
        vec![Value::I32(1)],
        vec![Value::F64(1.0)],
        vec![Value::Bytes(b"a".to_vec()), Value::Bytes(b"b".to_vec())],
    ] {
        let mut call = plugin.start("ask", b"?", OPTIONS).unwrap();
        parked(&mut call, None);
        let error = answer(call, Scheduler::Normal, Reply::Values(values)).unwrap_err();
        assert!(
            error
                .message
                .contains("ask was answered with values of other types"),
            "{error}"
        );
    }
    let mut call = plugin.start("ask", b"?", OPTIONS).unwrap();
    parked(&mut call, None);
    let no_block = Reply::Values(vec![Value::I64(0)]);
    assert_eq!(answer(call, Scheduler::Normal, no_block).unwrap(), b"");
    assert_eq!(run(&plugin, "echo", b"well").unwrap(), b"well");
}

#[test]
fn a_large_argument_is_copied_on_a_dirty_slice() {
    let plugin = plugin();
    let input = vec![1; LARGE + 1];
    let mut call = plugin.start("ask", &input, OPTIONS).unwrap();
    assert!(matches!(
        call.resume(Scheduler::Normal, None),
        Step::SliceOver
    ));
    let request = parked(&mut call, None);
    assert!(matches!(request, Request::HostFunction { args, .. } if args == [Value::Bytes(input)]));
}

#[test]
fn time_on_normal_schedulers_is_bounded_across_host_calls() {
    let plugin = plugin();
    let mut call = plugin.start("ask_forever", b"?", OPTIONS).unwrap();
    let mut rounds = 0;
    while call.next_scheduler() == Scheduler::Normal {
        let reply = (rounds > 0).then(|| Reply::Values(vec![Value::Bytes(vec![])]));
        call.resume(Scheduler::Normal, reply);
        rounds += 1;
        assert!(rounds < 1_000_000, "normal slices never end");
    }
    assert!(rounds > 0);
}

#[test]
fn an_endless_loop_is_interrupted_after_each_slice_and_at_its_deadline() {
    let plugin = plugin();
    let mut call = plugin.start("spin", b"", OPTIONS).unwrap();
    assert!(matches!(
        call.resume(Scheduler::Normal, None),
        Step::SliceOver
    ));
    assert!(matches!(
        call.resume(Scheduler::Dirty, None),
        Step::SliceOver
    ));
    drop(call);
    let began = Instant::now();
    let call = plugin.start("spin", b"", within(100)).unwrap();
    assert_eq!(finish(call).unwrap_err().reason, Reason::Timeout);
    assert!(began.elapsed() >= Duration::from_millis(100));
    assert_eq!(run(&plugin, "echo", b"well").unwrap(), b"well");
}

#[test]
fn a_cancelled_call_ends_and_its_siblings_do_not() {
    let (one, other) = (plugin(), plugin());
    let mut spinning = one.start("spin", b"", OPTIONS).unwrap();
    let mut sibling = other.start("spin", b"", OPTIONS).unwrap();
    assert!(matches!(
        spinning.resume(Scheduler::Dirty, None),
        Step::SliceOver
    ));
    one.cancel();
    assert_eq!(finish(spinning).unwrap_err().reason, Reason::Cancelled);
    assert!(matches!(
        sibling.resume(Scheduler::Dirty, None),
        Step::SliceOver
    ));
    other.cancel();
    assert_eq!(finish(sibling).unwrap_err().reason, Reason::Cancelled);
}

#[test]
fn a_parked_call_past_its_deadline_times_out_when_it_is_resumed() {
    let plugin = plugin();
    let mut call = plugin.start("ask", b"?", within(500)).unwrap();
    parked(&mut call, None);
    std::thread::sleep(Duration::from_millis(510));
    let reply = Reply::Values(vec![Value::Bytes(vec![])]);
    let error = answer(call, Scheduler::Normal, reply).unwrap_err();
    assert_eq!(error.reason, Reason::Timeout);
}

#[test]
fn a_plugin_serves_one_call_at_a_time() {
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
fn dropping_a_call_drops_its_instance_and_not_the_plugin() {
    let plugin = plugin();
    run(&plugin, "write", b"").unwrap();
    assert_eq!(run(&plugin, "read", b"").unwrap_err().code, Some(7));
    let mut call = plugin.start("ask", b"?", OPTIONS).unwrap();
    parked(&mut call, None);
    drop(call);
    assert_eq!(run(&plugin, "read", b""), Ok(vec![]));
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
