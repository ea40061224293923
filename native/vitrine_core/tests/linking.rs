//! Plugins of several modules: how imports find the exports of other modules, and what cannot be linked.

// A test that panics is a test that fails.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use vitrine_core::{
    Call, CompileOptions, Error, HostFunction, LinkedPlugin, Plugin, PluginOptions, Reason, Reply,
    Request, Scheduler, Step, Value, ValueType, Wasi,
};
use vitrine_test_support as support;
use vitrine_test_support::OPTIONS;

/// Links modules, the first of which is the main one, and initialises the plugin.
fn load_with(
    modules: &[(&str, &str)],
    functions: &[HostFunction],
    options: PluginOptions,
) -> Result<Arc<Plugin>, Error> {
    let mut compiled = Vec::new();
    for (index, (name, text)) in modules.iter().enumerate() {
        let options = CompileOptions {
            library: index > 0,
            ..support::options()
        };
        compiled.push((name.to_string(), support::compiled(text, options)?));
    }
    let linked = LinkedPlugin::new(&compiled, 0, functions, options.wasi.is_some())?;
    let plugin = Plugin::new(linked, options)?;
    finish(plugin.initialise(OPTIONS)?).map(|_| plugin)
}

fn load(modules: &[(&str, &str)]) -> Result<Arc<Plugin>, Error> {
    load_with(modules, &[], PluginOptions::default())
}

fn refused(modules: &[(&str, &str)]) -> String {
    let error = load(modules).err().unwrap();
    assert_eq!(error.reason, Reason::Link, "{error}");
    error.message
}

/// Runs to the end; the host functions here answer 7.
fn finish(call: Call) -> Result<Vec<u8>, Error> {
    support::finish_with(call, |request| match request {
        Request::HostFunction { .. } => Reply::Values(vec![Value::I32(7)]),
        other => panic!("{other:?}"),
    })
}

/// The number that an export returns: 0 is a success, and any other is the code of an error.
fn number(plugin: &Arc<Plugin>, function: &str) -> i32 {
    match finish(plugin.start(function, b"", OPTIONS).unwrap()) {
        Ok(_) => 0,
        Err(error) if error.reason == Reason::GuestError => error.code.unwrap(),
        Err(error) => panic!("{error:?}"),
    }
}

fn failure(plugin: &Arc<Plugin>, function: &str) -> Error {
    finish(plugin.start(function, b"", OPTIONS).unwrap()).unwrap_err()
}

/// A module whose `next` counts from 1.
const COUNTER: &str = r#"
  (global $n (mut i32) (i32.const 0))
  (memory 1) (data (i32.const 8) "\05")
  (table $t 1 funcref) (elem (table $t) (i32.const 0) func $next)
  (func $next (export "next") (result i32)
    (global.set $n (i32.add (global.get $n) (i32.const 1)))
    (i32.store8 (i32.const 8) (i32.add (i32.load8_u (i32.const 8)) (i32.const 1)))
    (table.set $t (i32.const 0) (ref.null func))
    (global.get $n))
  (func (export "byte") (result i32) (i32.load8_u (i32.const 8)))
  (func (export "null") (result i32) (ref.is_null (table.get $t (i32.const 0))))"#;

const CALLS_COUNTER: &str = r#"(module
  (import "counter" "next" (func $next (result i32)))
  (import "counter" "byte" (func $byte (result i32)))
  (import "counter" "null" (func $null (result i32)))
  (func (export "twice") (result i32) (drop (call $next)) (call $next))
  (func (export "byte") (result i32) (drop (call $next)) (call $byte))
  (func (export "null") (result i32) (drop (call $next)) (call $null))
  (func (export "many") (result i32) (local $i i32)
    (loop $again
      (drop (call $next))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $i) (i32.const 12000))))
    (call $next)))"#;

#[test]
fn a_reactor_library_keeps_its_state_and_is_initialised_once() {
    let library = format!(
        r#"(module {COUNTER} (func (export "_initialize")
           (global.set $n (i32.add (global.get $n) (i32.const 100)))))"#
    );
    let plugin = load(&[("main", CALLS_COUNTER), ("counter", &library)]).unwrap();
    assert_eq!(number(&plugin, "twice"), 102);
    assert_eq!(number(&plugin, "twice"), 104);
    assert_eq!(number(&plugin, "byte"), 10);
    assert_eq!(number(&plugin, "null"), 1);
}

#[test]
fn a_command_library_is_reset_for_each_call() {
    let library = format!(r#"(module {COUNTER} (func (export "_start")))"#);
    let plugin = load(&[("main", CALLS_COUNTER), ("counter", &library)]).unwrap();
    for _ in 0..2 {
        assert_eq!(number(&plugin, "twice"), 1);
        assert_eq!(number(&plugin, "byte"), 5);
        assert_eq!(number(&plugin, "null"), 0);
    }
}

#[test]
fn a_command_library_can_be_called_any_number_of_times() {
    let library = format!(r#"(module {COUNTER} (func (export "_start")))"#);
    let plugin = load(&[("main", CALLS_COUNTER), ("counter", &library)]).unwrap();
    assert_eq!(number(&plugin, "many"), 1);
}

#[test]
fn a_command_is_instantiated_and_a_large_one_reset_on_dirty_schedulers() {
    let main = r#"(module (import "library" "f" (func $f)) (func (export "go") (call $f)))"#;
    let on_dirty = |state: &str, calls: usize| {
        let library = format!(r#"(module {state} (func (export "_start")) (func (export "f")))"#);
        let plugin = load(&[("main", main), ("library", &library)]).unwrap();
        let call = || {
            let mut call = plugin.start("go", b"", OPTIONS).unwrap();
            if matches!(call.resume(Scheduler::Normal, None), Step::Done(_)) {
                return false;
            }
            finish(call).unwrap();
            true
        };
        (0..calls).map(|_| call()).collect::<Vec<_>>()
    };
    assert_eq!(on_dirty("(memory 1)", 1), [true]);
    assert_eq!(on_dirty("(table 5000 funcref)", 3), [true; 3]);
    // The sizes of small memories add up.
    assert_eq!(on_dirty(&"(memory 9)".repeat(2), 3), [true; 3]);
    // A thread that the system holds up does not end its slice in time.
    let small = |_| on_dirty("(memory 1) (table 9 funcref)", 2) == [true, false];
    assert!((0..5).any(small));
}

#[test]
fn a_commands_start_function_runs_before_each_call() {
    let library = format!(
        r#"(module {COUNTER} (func $s (global.set $n (i32.const 40))) (start $s)
           (func (export "_start")))"#
    );
    let plugin = load(&[("main", CALLS_COUNTER), ("counter", &library)]).unwrap();
    assert_eq!(number(&plugin, "twice"), 41);
    assert_eq!(number(&plugin, "twice"), 41);
}

#[test]
fn a_library_with_both_start_functions_is_a_reactor() {
    let library =
        format!(r#"(module {COUNTER} (func (export "_start")) (func (export "_initialize")))"#);
    let plugin = load(&[("main", CALLS_COUNTER), ("counter", &library)]).unwrap();
    assert_eq!(number(&plugin, "twice"), 2);
    assert_eq!(number(&plugin, "twice"), 4);
}

#[test]
fn other_modules_can_import_only_functions_of_a_command() {
    let library = r#"(module (global (export "g") i32 (i32.const 3)) (memory (export "m") 1)
        (func (export "f") (result i32) (i32.const 9)) (func (export "_start")))"#;
    let main = r#"(module (import "lib" "f" (func $f (result i32)))
        (func (export "run") (result i32) (call $f)))"#;
    assert_eq!(
        number(&load(&[("main", main), ("lib", library)]).unwrap(), "run"),
        9
    );
    let message = refused(&[
        ("main", r#"(module (import "lib" "g" (global i32)))"#),
        ("lib", library),
    ]);
    assert!(
        message.contains(r#""lib"."g" (a global) is unknown; the module "lib" does not export it"#),
        "{message}"
    );
}

#[test]
fn a_trap_in_a_command_fails_the_call_and_the_next_call_works() {
    let library =
        r#"(module (func (export "f") unreachable) (func (export "g")) (func (export "_start")))"#;
    let main = r#"(module (import "lib" "f" (func $f)) (import "lib" "g" (func $g))
        (func (export "f") (call $f)) (func (export "g") (call $g)))"#;
    let plugin = load(&[("main", main), ("lib", library)]).unwrap();
    for _ in 0..40 {
        assert_eq!(failure(&plugin, "f").reason, Reason::Trap);
        assert_eq!(number(&plugin, "g"), 0);
    }
}

#[test]
fn endless_calls_between_commands_trap() {
    let library = r#"(module (import "lib" "f" (func $f)) (func (export "f") (call $f))
        (func (export "_start")))"#;
    let main = r#"(module (import "lib" "f" (func $f)) (func (export "run") (call $f)))"#;
    let plugin = load(&[("main", main), ("lib", library)]).unwrap();
    let error = failure(&plugin, "run");
    assert_eq!(error.reason, Reason::Trap);
    assert!(error.message.contains("within each other"), "{error}");
}

#[test]
fn memories_tables_and_globals_are_shared_between_modules() {
    let library = r#"(module (memory (export "m") 1) (global (export "g") (mut i32) (i32.const 1))
        (table (export "t") 1 funcref)
        (func $f (result i32) (i32.const 30)) (elem (i32.const 0) $f)
        (func (export "sum") (result i32) (i32.add (global.get 0) (i32.load (i32.const 0)))))"#;
    let main = r#"(module (import "lib" "m" (memory 1)) (import "lib" "g" (global $g (mut i32)))
        (import "lib" "t" (table 1 funcref)) (import "lib" "sum" (func $sum (result i32)))
        (type $r (func (result i32)))
        (func (export "run") (result i32)
          (i32.store (i32.const 0) (call_indirect (type $r) (i32.const 0)))
          (global.set $g (i32.const 12))
          (call $sum)))"#;
    assert_eq!(
        number(&load(&[("main", main), ("lib", library)]).unwrap(), "run"),
        42
    );
}

#[test]
fn all_modules_share_one_kernel() {
    let library = r#"(module (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
        (import "extism:host/env" "store_u8" (func $store (param i64 i32)))
        (func (export "make") (result i64) (local $p i64)
          (local.set $p (call $alloc (i64.const 1)))
          (call $store (local.get $p) (i32.const 33)) (local.get $p)))"#;
    let main = r#"(module (import "lib" "make" (func $make (result i64)))
        (import "extism:host/env" "output_set" (func $output (param i64 i64)))
        (func (export "run") (call $output (call $make) (i64.const 1))))"#;
    for kind in ["", r#"(func (export "_start"))"#] {
        let library = library.replace(
            "(func (export \"make\")",
            &format!("{kind} (func (export \"make\")"),
        );
        let plugin = load(&[("main", main), ("lib", &library)]).unwrap();
        let output = finish(plugin.start("run", b"", OPTIONS).unwrap()).unwrap();
        assert_eq!(output, b"!");
    }
}

fn load_with_host(modules: &[(&str, &str)], names: &[&str]) -> Arc<Plugin> {
    let functions = names.iter().map(|name| HostFunction {
        namespace: "extism:host/user".into(),
        name: name.to_string(),
        signature: Some((vec![], vec![ValueType::I32])),
    });
    let functions: Vec<_> = functions.collect();
    load_with(modules, &functions, PluginOptions::default()).unwrap()
}

#[test]
fn a_module_replaces_host_functions_of_the_same_names() {
    let main = r#"(module (import "extism:host/user" "a" (func $a (result i32)))
        (import "extism:host/user" "b" (func $b (result i32)))
        (func (export "a") (result i32) (call $a)) (func (export "b") (result i32) (call $b)))"#;
    let library = r#"(module (func (export "a") (result i32) (i32.const 1)))"#;
    let modules = [("main", main), ("extism:host/user", library)];
    let plugin = load_with_host(&modules, &["a", "b"]);
    assert_eq!((number(&plugin, "a"), number(&plugin, "b")), (1, 7));
}

#[test]
fn a_module_replaces_functions_of_wasi() {
    let main = r#"(module (import "wasi_snapshot_preview1" "random_get" (func $r (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "sched_yield" (func $y (result i32))) (memory (export "memory") 1)
        (func (export "run") (result i32)
          (i32.add (call $y) (call $r (i32.const 0) (i32.const 1)))))"#;
    let library =
        r#"(module (func (export "random_get") (param i32 i32) (result i32) (i32.const 5)))"#;
    let options = PluginOptions {
        wasi: Some(Wasi::default()),
        ..PluginOptions::default()
    };
    let modules = [("main", main), ("wasi_snapshot_preview1", library)];
    let plugin = load_with(&modules, &[], options).unwrap();
    assert_eq!(number(&plugin, "run"), 5);
}

#[test]
fn libraries_call_host_functions() {
    let library = r#"(module (import "extism:host/user" "a" (func $a (result i32)))
        (func (export "f") (result i32) (call $a)))"#;
    let main = r#"(module (import "lib" "f" (func $f (result i32)))
        (func (export "run") (result i32) (call $f)))"#;
    for kind in ["(module", r#"(module (func (export "_start"))"#] {
        // Imports come first.
        let library = library.replacen("(module", "", 1);
        let (imports, rest) = library.split_at(library.find("(func (export").unwrap());
        let library = format!("(module {imports} {} {rest}", &kind["(module".len()..]);
        let plugin = load_with_host(&[("main", main), ("lib", &library)], &["a"]);
        assert_eq!(number(&plugin, "run"), 7);
    }
}

#[test]
fn functions_may_be_imported_in_a_circle() {
    let a = r#"(module (import "b" "odd" (func $odd (param i32) (result i32)))
        (func $even (export "even") (param $n i32) (result i32)
          (if (result i32) (i32.eqz (local.get $n)) (then (i32.const 1))
            (else (call $odd (i32.sub (local.get $n) (i32.const 1)))))))"#;
    let b = r#"(module (import "a" "even" (func $even (param i32) (result i32)))
        (func (export "odd") (param $n i32) (result i32)
          (if (result i32) (i32.eqz (local.get $n)) (then (i32.const 0))
            (else (call $even (i32.sub (local.get $n) (i32.const 1)))))))"#;
    let main = r#"(module (import "a" "even" (func $even (param i32) (result i32)))
        (func (export "run") (result i32) (call $even (i32.const 1000)))
        (func (export "deep") (result i32) (call $even (i32.const 100000000))))"#;
    let plugin = load(&[("main", main), ("a", a), ("b", b)]).unwrap();
    assert_eq!(number(&plugin, "run"), 1);
    // Each step takes stack, as with any calls.
    let error = failure(&plugin, "deep");
    assert_eq!(error.trap.as_deref(), Some("call stack exhausted"));
}

#[test]
fn the_number_of_functions_imported_in_circles_is_limited() {
    let main = |n: usize| {
        let imports = (0..n).map(|i| format!(r#"(import "main" "f{i}" (func))"#));
        let functions = (0..n).map(|i| format!(r#"(func (export "f{i}"))"#));
        let all: String = imports.chain(functions).collect();
        format!("(module {all})")
    };
    assert!(load(&[("main", &main(1_000))]).is_ok());
    let message = refused(&[("main", &main(1_001))]);
    assert!(
        message.contains("1001 functions are imported in circles; the limit is 1000"),
        "{message}"
    );
}

#[test]
fn a_module_may_import_its_own_functions_and_those_of_main() {
    let main = r#"(module (import "main" "one" (func $one (result i32)))
        (import "lib" "two" (func $two (result i32)))
        (func (export "one") (result i32) (i32.const 1))
        (func (export "run") (result i32) (i32.add (call $one) (call $two))))"#;
    let library = r#"(module (import "main" "one" (func $one (result i32)))
        (func (export "two") (result i32) (i32.add (call $one) (call $one))))"#;
    let plugin = load(&[("main", main), ("lib", library)]).unwrap();
    assert_eq!(number(&plugin, "run"), 3);
}

#[test]
fn a_function_of_a_circle_that_is_called_too_early_traps() {
    let a =
        r#"(module (import "b" "f" (func $f)) (func $s (call $f)) (start $s) (func (export "g")))"#;
    let b = r#"(module (import "a" "g" (func)) (func (export "f")))"#;
    let error = load(&[("a", a), ("b", b)]).err().unwrap();
    assert_eq!((error.reason, error.trap.is_some()), (Reason::Trap, true));
}

#[test]
fn only_functions_may_be_imported_in_a_circle() {
    let main = r#"(module (import "lib" "m" (memory 1)) (func (export "f")))"#;
    let library = r#"(module (import "main" "f" (func)) (memory (export "m") 1))"#;
    assert!(load(&[("main", main), ("lib", library)]).is_ok());
    let main = r#"(module (import "lib" "m" (memory 1)) (memory (export "n") 1))"#;
    let library = r#"(module (import "main" "n" (memory 1)) (memory (export "m") 1))"#;
    let message = refused(&[("main", main), ("lib", library)]);
    assert!(message.contains("main -> lib -> main"), "{message}");
}

#[test]
fn the_main_module_is_instantiated_once() {
    let main = r#"(module (import "lib" "count" (func $count (result i32)))
        (func $s (drop (call $count))) (start $s)
        (func (export "run") (result i32) (call $count)))"#;
    let library = r#"(module (global $n (mut i32) (i32.const 0))
        (func (export "count") (result i32)
          (global.set $n (i32.add (global.get $n) (i32.const 1))) (global.get $n)))"#;
    let plugin = load(&[("main", main), ("lib", library)]).unwrap();
    assert_eq!(number(&plugin, "run"), 2);
}

#[test]
fn an_unknown_import_is_named_with_the_chain_of_imports_that_needs_it() {
    let message = refused(&[
        ("main", r#"(module (import "a" "f" (func)))"#),
        (
            "a",
            r#"(module (import "b" "f" (func)) (func (export "f")))"#,
        ),
        (
            "b",
            r#"(module (import "c" "missing" (func)) (func (export "f")))"#,
        ),
    ]);
    assert!(message.contains(r#""c"."missing""#), "{message}");
    assert!(message.contains("main -> a -> b"), "{message}");
}

#[test]
fn all_unknown_imports_are_reported_at_once_with_advice() {
    let own = r#"(import "extism:host/user" "one" (func)) (import "app" "two" (func (param i64)))"#;
    let unknown = "the imports \"extism:host/user\".\"one\", \"app\".\"two\" are unknown; \
        is a host function missing from host_functions?";
    assert_eq!(refused(&[("main", &format!("(module {own})"))]), unknown);
    // The same holds for a module that is fused.
    let fused = format!(
        r#"(module {own} (import "extism:host/env" "load_u8" (func $load (param i64) (result i32)))
            (import "wasi_snapshot_preview1" "random_get" (func (param i32 i32) (result i32)))
            (import "extism:host/env" "later" (func))
            (func (export "run") (drop (call $load (i64.const 0)))))"#
    );
    assert_eq!(
        refused(&[("main", &fused)]),
        format!(
            "{unknown}. The import \"wasi_snapshot_preview1\".\"random_get\" is unknown; the plugin needs WASI, \
             which is not granted: give wasi: true. The import \"extism:host/env\".\"later\" is unknown; this \
             version of the Extism ABI has no such function"
        )
    );
}

#[test]
fn of_many_unknown_imports_some_are_named_and_the_rest_counted() {
    let many = |count: usize| {
        let imports = (0..count).map(|i| format!(r#"(import "x" "{i}" (func))"#));
        refused(&[("main", &format!("(module {})", imports.collect::<String>()))])
    };
    assert!(
        many(10).contains(r#""x"."8", "x"."9" are unknown; is a"#),
        "{}",
        many(10)
    );
    assert!(
        many(13).contains(r#""x"."9" and 3 more are unknown; is a"#),
        "{}",
        many(13)
    );
    assert!(
        many(5000).ends_with(". 4800 more imports are unknown"),
        "{}",
        many(5000)
    );
    let long = "x".repeat(50_000);
    let text = format!(r#"(module (import "x" "{long}" (func)) (import "x" "b" (func)))"#);
    let message = refused(&[("main", &text)]);
    assert!(
        message.len() < 1000 && message.contains(r#", "x"."b""#),
        "{message}"
    );
    let text = r#"(module (import "x" "m" (memory 1)) (import "x" "f" (func)))"#;
    let message = refused(&[("main", text)]);
    assert!(
        message.contains(r#""x"."m" (a memory) is unknown"#),
        "{message}"
    );
    assert!(message.contains(r#""x"."f" is unknown"#), "{message}");
}

#[test]
fn imports_of_other_types_are_refused() {
    let message = refused(&[
        ("main", r#"(module (import "a" "f" (func (param i32))))"#),
        ("a", r#"(module (func (export "f") (param i64)))"#),
    ]);
    assert!(
        message.contains(r#"the import "a"."f" is declared as (i32) -> ()"#),
        "{message}"
    );
    assert!(
        message.contains("i32") && message.contains("i64"),
        "{message}"
    );
    let message = refused(&[
        ("main", r#"(module (import "a" "m" (memory 3)))"#),
        ("a", r#"(module (memory (export "m") 1))"#),
    ]);
    assert!(
        message.contains("a::m") || message.contains("main"),
        "{message}"
    );
}

#[test]
fn plugins_of_the_abi_before_1_0_find_its_functions() {
    let main = r#"(module (import "env" "extism_alloc" (func $alloc (param i64) (result i64)))
        (import "env" "extism_store_u8" (func $store (param i64 i32)))
        (import "env" "extism_output_set" (func $output (param i64 i64)))
        (import "env" "extism_var_get" (func $var (param i64) (result i64)))
        (import "env" "extism_log_info" (func $log (param i64)))
        (import "env" "abort" (func $abort))
        (func (export "run") (local $p i64)
          (local.set $p (call $alloc (i64.const 2)))
          (call $store (local.get $p) (i32.const 111))
          (drop (call $var (local.get $p)))
          (call $output (local.get $p) (i64.const 1))))"#;
    let abort = HostFunction {
        namespace: "env".into(),
        name: "abort".into(),
        signature: Some((vec![], vec![])),
    };
    let plugin = load_with(&[("main", main)], &[abort], PluginOptions::default()).unwrap();
    let output = finish(plugin.start("run", b"", OPTIONS).unwrap()).unwrap();
    assert_eq!(output, b"o");
    let message = refused(&[("main", r#"(module (import "env" "extism_none" (func)))"#)]);
    assert!(message.contains(r#""env"."extism_none""#), "{message}");
}

#[test]
fn more_than_32_modules_are_refused() {
    let names: Vec<String> = (0..40).map(|n| format!("m{n}")).collect();
    let modules: Vec<_> = names.iter().map(|name| (&**name, "(module)")).collect();
    assert!(refused(&modules).contains("limit is 32"));
}
