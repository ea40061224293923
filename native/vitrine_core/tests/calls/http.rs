//! HTTP requests: how a guest's request reaches the embedder, and what the guest gets of the response.

use std::sync::Arc;
use std::time::Duration;

use crate::support::{OPTIONS, answer, finish, load, parked, run, within};
use vitrine_core::{
    Call, Error, HttpRequest, HttpResponse, LARGE, Plugin, PluginOptions, Reason, Reply, Request,
    Scheduler, Step,
};

/// `get` and `post` make the request that is their input, `post` with a body. Both output the body of the response.
/// `handed_over` returns the length of the block of a request that was made.
const GUEST: &str = r#"
  (import "extism:host/env" "length" (func $length_of (param i64) (result i64)))
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "store_u64" (func $store (param i64 i64)))
  (import "extism:host/env" "input_offset" (func $input (result i64)))
  (import "extism:host/env" "output_set" (func $output (param i64 i64)))
  (import "extism:host/env" "http_request" (func $request (param i64 i64) (result i64)))
  (import "extism:host/env" "http_status_code" (func $status (result i32)))
  (import "extism:host/env" "http_headers" (func $headers (result i64)))
  (func $out (param $handle i64)
    (call $output (local.get $handle) (call $length_of (local.get $handle))))
  (func (export "get") (call $out (call $request (call $input) (i64.const 0))))
  (func (export "post") (local $body i64)
    (local.set $body (call $alloc (i64.const 8)))
    (call $store (local.get $body) (i64.const 0x79646f6220656874)) ;; "the body"
    (call $out (call $request (call $input) (local.get $body))))
  (func (export "bad_body") (drop (call $request (call $input) (i64.const 99999))))
  (func (export "bad_request") (drop (call $request (i64.const 99999) (i64.const 0))))
  (func (export "handed_over") (result i32)
    (drop (call $request (call $input) (i64.const 0)))
    (i32.wrap_i64 (call $length_of (call $input))))
  (func (export "status") (result i32) (call $status))
  (func (export "headers") (call $out (call $headers)))"#;

fn plugin(http_response_headers: bool) -> Arc<Plugin> {
    let options = PluginOptions {
        http_response_headers,
        ..PluginOptions::default()
    };
    let plugin = load(&format!("(module {GUEST})"), options).unwrap();
    finish(plugin.initialise(OPTIONS).unwrap()).unwrap();
    plugin
}

const URL: &str = r#"{"url":"http://example.com/"}"#;

/// A call that is parked on a request, and the request.
fn asking(plugin: &Arc<Plugin>, function: &str, json: &str) -> (Call, HttpRequest) {
    let mut call = plugin.start(function, json.as_bytes(), OPTIONS).unwrap();
    match parked(&mut call, None) {
        Request::Http(request) => (call, request),
        other => panic!("unexpected {other:?}"),
    }
}

fn requested(plugin: &Arc<Plugin>, json: &str) -> HttpRequest {
    asking(plugin, "get", json).1
}

fn response(status: u16, body: &[u8]) -> Reply {
    let headers = [("Content-Type", "text/plain"), ("x-a", "1"), ("X-A", "2")];
    Reply::Http(HttpResponse {
        status,
        headers: headers
            .map(|(name, value)| (name.into(), value.into()))
            .to_vec(),
        body: body.to_vec(),
    })
}

fn get(plugin: &Arc<Plugin>, reply: Reply) -> Result<Vec<u8>, Error> {
    let (call, _) = asking(plugin, "get", URL);
    answer(call, Scheduler::Normal, reply)
}

fn status(plugin: &Arc<Plugin>) -> i32 {
    let error = run(plugin, "status", b"").err();
    error.and_then(|e| e.code).unwrap_or(0)
}

#[test]
fn a_request_parks_with_what_its_json_says() {
    let plugin = plugin(false);
    let json = r#"{"url":"http://a/?q=ü","method":"patch","headers":{"B":"2","a":"1"}}"#;
    let (call, request) = asking(&plugin, "post", json);
    let expected = HttpRequest {
        method: "PATCH".into(),
        url: "http://a/?q=ü".into(),
        headers: vec![("B".into(), "2".into()), ("a".into(), "1".into())],
        body: Some(b"the body".to_vec()),
    };
    assert_eq!(request, expected);
    assert_eq!(
        answer(call, Scheduler::Normal, response(200, b"hello")),
        Ok(b"hello".to_vec())
    );
}

#[test]
fn optional_fields_of_a_request_may_be_null_and_unknown_fields_are_ignored() {
    let plugin = plugin(false);
    let plain = HttpRequest {
        method: "GET".into(),
        url: "u".into(),
        headers: vec![],
        body: None,
    };
    // Unknown fields take no stack, however deep they are nested.
    let (open, close) = ("[".repeat(100_000), "]".repeat(100_000));
    for json in [
        r#"{"url":"u"}"#,
        r#"{"url":"u","method":null,"headers":null}"#,
        r#"{"url":"u","headers":{},"timeout":[1,{"more":null}]}"#,
        &format!(r#"{{"url":"u","x":{open}{close}}}"#),
    ] {
        assert_eq!(requested(&plugin, json), plain, "{json:.60}");
    }
}

#[test]
fn json_that_is_not_a_request_traps() {
    let plugin = plugin(false);
    for json in [
        "",
        "{}",
        "null",
        r#"{"url":1}"#,
        r#"{"url":"u","headers":{"a":1}}"#,
        "{\"url\":\"\u{1}\"}",
    ] {
        let error = run(&plugin, "get", json.as_bytes()).unwrap_err();
        assert_eq!(error.reason, Reason::Trap, "{json:.40}");
        let what = "the HTTP request is not valid: ";
        assert!(error.message.starts_with(what), "{error}");
    }
}

#[test]
fn an_invalid_handle_traps_with_its_name_and_offset() {
    let plugin = plugin(false);
    for (function, what) in [
        ("bad_body", "http request body"),
        ("bad_request", "http request"),
    ] {
        let error = run(&plugin, function, URL.as_bytes()).unwrap_err();
        let message = format!("invalid handle offset for {what}: 99999");
        assert_eq!((error.reason, error.message), (Reason::Trap, message));
    }
}

#[test]
fn the_block_of_a_request_is_freed() {
    let (call, _) = asking(&plugin(false), "handed_over", URL);
    assert_eq!(
        answer(call, Scheduler::Normal, response(200, b"")),
        Ok(vec![])
    );
}

#[test]
fn an_empty_response_body_is_the_handle_0() {
    assert_eq!(get(&plugin(false), response(204, b"")), Ok(vec![]));
}

#[test]
fn the_status_of_a_response_lasts_until_the_next_request_begins() {
    let plugin = plugin(false);
    assert_eq!(status(&plugin), 0);
    get(&plugin, response(404, b"no such page")).unwrap();
    assert_eq!(status(&plugin), 404);
    plugin.reset().unwrap();
    assert_eq!(status(&plugin), 404);
    get(&plugin, Reply::Error(b"refused".to_vec())).unwrap_err();
    assert_eq!(status(&plugin), 0);
}

#[test]
fn response_headers_are_json_if_the_plugin_may_see_them() {
    let seen = plugin(true);
    let headers = |plugin| String::from_utf8(run(plugin, "headers", b"").unwrap()).unwrap();
    assert_eq!(headers(&seen), "{}");
    get(&seen, response(200, b"")).unwrap();
    assert_eq!(
        headers(&seen),
        r#"{"content-type":"text/plain","x-a":"1, 2"}"#
    );
    get(&seen, Reply::Error(vec![])).unwrap_err();
    assert_eq!(headers(&seen), "{}");

    let unseen = plugin(false);
    get(&unseen, response(200, b"")).unwrap();
    assert_eq!(headers(&unseen), "");
}

#[test]
fn a_failed_request_ends_the_call_with_the_embedders_message() {
    let plugin = plugin(false);
    let error = get(&plugin, Reply::Error(b"connection refused".to_vec())).unwrap_err();
    assert_eq!(
        (error.reason, error.message.as_str()),
        (Reason::Http, "connection refused")
    );
    // A reply of another kind is an error, too.
    for reply in [Reply::Failed, Reply::Values(vec![])] {
        assert_eq!(get(&plugin, reply).unwrap_err().reason, Reason::Http);
    }
    assert_eq!(get(&plugin, response(200, b"well")), Ok(b"well".to_vec()));
}

#[test]
fn a_large_response_is_copied_on_a_dirty_slice() {
    let (mut call, _) = asking(&plugin(false), "get", URL);
    let body = vec![b'x'; LARGE + 1];
    let step = call.resume(Scheduler::Normal, Some(response(200, &body)));
    assert!(matches!(step, Step::SliceOver));
    assert_eq!(finish(call), Ok(body));
}

#[test]
fn long_json_is_parsed_on_a_dirty_slice() {
    let plugin = plugin(false);
    let json = format!(r#"{{"url":"u{}"}}"#, "x".repeat(64 * 1024));
    let mut call = plugin.start("get", json.as_bytes(), OPTIONS).unwrap();
    assert!(matches!(
        call.resume(Scheduler::Normal, None),
        Step::SliceOver
    ));
    assert!(matches!(parked(&mut call, None), Request::Http(_)));
}

#[test]
fn a_parked_call_tells_its_time_left_and_whether_it_is_cancelled() {
    let plugin = plugin(false);
    let (call, _) = asking(&plugin, "get", URL);
    assert_eq!(call.time_left(), None);
    drop(call);

    let mut call = plugin.start("get", URL.as_bytes(), within(60_000)).unwrap();
    parked(&mut call, None);
    let left = call.time_left().unwrap();
    assert!(left > Duration::from_secs(50) && left < Duration::from_secs(60));
    assert!(!call.is_cancelled());
    plugin.cancel();
    assert!(call.is_cancelled());
    let error = answer(call, Scheduler::Normal, response(200, b"late")).unwrap_err();
    assert_eq!(error.reason, Reason::Cancelled);
}

#[test]
fn a_timeout_reply_is_a_timeout_of_the_call() {
    let plugin = plugin(false);
    assert_eq!(
        get(&plugin, Reply::Timeout).unwrap_err().reason,
        Reason::Timeout
    );
}

#[test]
fn a_request_that_outlives_the_deadline_is_a_timeout_however_it_ended() {
    let plugin = plugin(false);
    for reply in [response(200, b"late"), Reply::Error(b"timed out".to_vec())] {
        let mut call = plugin.start("get", URL.as_bytes(), within(500)).unwrap();
        parked(&mut call, None);
        std::thread::sleep(Duration::from_millis(510));
        let error = answer(call, Scheduler::Normal, reply).unwrap_err();
        assert_eq!(error.reason, Reason::Timeout);
    }
}
