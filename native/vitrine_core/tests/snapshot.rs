//! Snapshots: what is kept, what is refused, and that nothing is initialised twice.

// A test that panics is a test that fails.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use vitrine_core::{CompileOptions, Error, Limits, Plugin, PluginOptions, Reason, Stage};
use vitrine_test_support as support;
use vitrine_test_support::{OPTIONS, finish};

fn load_with(
    bytes: &[u8],
    stage: Option<Stage>,
    options: PluginOptions,
) -> Result<Arc<Plugin>, Error> {
    let how = CompileOptions {
        stage,
        ..support::options()
    };
    Plugin::new(support::linked(support::compiled(bytes, how)?)?, options)
}

fn load(bytes: &[u8], stage: Option<Stage>) -> Result<Arc<Plugin>, Error> {
    load_with(bytes, stage, PluginOptions::default())
}

fn draft(text: &str) -> Arc<Plugin> {
    load(text.as_bytes(), Some(Stage::Draft)).unwrap()
}

/// A plugin of a snapshot.
fn restored(module: &[u8]) -> Arc<Plugin> {
    load(module, Some(Stage::Snapshot)).unwrap()
}

fn initialise(plugin: &Arc<Plugin>) {
    finish(plugin.initialise(OPTIONS).unwrap()).unwrap();
}

/// The code that a function returns.
fn code(plugin: &Arc<Plugin>, function: &str) -> i32 {
    match finish(plugin.start(function, b"", OPTIONS).unwrap()) {
        Ok(_) => 0,
        Err(error) => error.code.unwrap_or_else(|| panic!("{error}")),
    }
}

/// A snapshot of an initialised plugin.
fn snapshot(text: &str) -> Vec<u8> {
    let plugin = draft(text);
    initialise(&plugin);
    plugin.take_snapshot().unwrap()
}

/// Why a snapshot is refused.
fn refusal(text: &str) -> String {
    let plugin = match load(text.as_bytes(), Some(Stage::Draft)) {
        Ok(plugin) => plugin,
        Err(error) => return refused(error),
    };
    initialise(&plugin);
    refused(plugin.take_snapshot().unwrap_err())
}

fn refused(error: Error) -> String {
    assert_eq!(error.reason, Reason::Snapshot, "{error}");
    error.message
}

#[test]
fn a_plugin_that_is_not_a_draft_has_no_snapshot() {
    let plugin = load(b"(module)", None).unwrap();
    initialise(&plugin);
    assert!(refused(plugin.take_snapshot().unwrap_err()).contains("not compiled for it"));
}

#[test]
fn a_plugin_without_an_instance_has_no_snapshot() {
    let plugin = draft("(module)");
    assert!(refused(plugin.take_snapshot().unwrap_err()).contains("no instance"));
    initialise(&plugin);
    plugin.take_snapshot().unwrap();
    // Taking a snapshot drops the instance.
    assert!(refused(plugin.take_snapshot().unwrap_err()).contains("no instance"));
}

#[test]
fn a_snapshot_with_much_data_begins_with_all_of_it() {
    let text = format!(
        r#"(module (import "extism:host/env" "input_length" (func $length (result i64)))
          (memory 4) (data (i32.const 8) "{}")
          (func (export "_initialize") (drop (call $length))
            (i32.store8 (i32.const 20) (i32.const 7))
            (memory.fill (i32.const 196608) (i32.const 9) (i32.const 65536)))
          (func (export "first") (result i32) (i32.load8_u (i32.const 19)))
          (func (export "second") (result i32) (i32.load8_u (i32.const 20)))
          (func (export "third") (result i32) (i32.load8_u (i32.const 262143)))
          (func (export "write") (i32.store8 (i32.const 20) (i32.const 8))))"#,
        "x".repeat(150_000)
    );
    let module = snapshot(&text);
    for _ in 0..2 {
        let plugin = restored(&module);
        assert_eq!(plugin.main().is_fused(), support::options().fuse);
        initialise(&plugin);
        let read = |function| code(&plugin, function);
        assert_eq!(["first", "second", "third"].map(read), [120, 7, 9]);
        assert_eq!(read("write"), 0);
        assert_eq!(read("second"), 8);
    }
}

#[test]
fn no_snapshot_is_taken_of_a_busy_or_closed_plugin() {
    let plugin = draft(r#"(module (func (export "run")))"#);
    let call = plugin.start("run", b"", OPTIONS).unwrap();
    assert_eq!(plugin.take_snapshot().unwrap_err().reason, Reason::Busy);
    drop(call);
    plugin.close();
    assert_eq!(plugin.take_snapshot().unwrap_err().reason, Reason::Closed);
}

#[test]
fn changes_of_tables_and_references_in_globals_are_refused() {
    let set = r#"(module (table 1 funcref)
      (func (export "run") (table.set (i32.const 0) (ref.null func))))"#;
    assert!(refusal(set).contains("table.set"));
    let reference = r#"(module (func $f) (elem declare func $f)
      (global $number (mut i32) (i32.const 1)) (global $g (mut funcref) (ref.null func))
      (func $start (global.set $g (ref.func $f))) (start $start))"#;
    assert!(refusal(reference).contains("its global 1 is a reference"));
}

#[test]
fn an_invalid_draft_is_a_compile_error() {
    for text in [
        "(module (func (table.set 0)))",
        r#"(module (memory (export "vitrine:memory:0") 1) (memory 1))"#,
    ] {
        let error = load(text.as_bytes(), Some(Stage::Draft)).err().unwrap();
        assert_eq!(error.reason, Reason::Compile, "{error}");
    }
}

#[test]
fn a_memory_that_grew_must_fit_the_memory_limit_as_a_whole() {
    let text = r#"(module (memory 2)
      (func (export "_initialize") (drop (memory.grow (i32.const 2)))))"#;
    for (pages, fits) in [(3, false), (4, true)] {
        let limits = Limits {
            memory: pages << 16,
            ..Limits::default()
        };
        let options = PluginOptions {
            limits,
            ..PluginOptions::default()
        };
        let plugin = load_with(text.as_bytes(), Some(Stage::Draft), options.clone()).unwrap();
        initialise(&plugin);
        match plugin.take_snapshot() {
            Ok(module) => {
                assert!(fits);
                initialise(&load_with(&module, Some(Stage::Snapshot), options).unwrap());
            }
            Err(error) => assert_eq!((error.reason, fits), (Reason::OutOfMemory, false)),
        }
    }
}

#[test]
fn a_snapshot_larger_than_the_limit_of_a_module_is_refused() {
    let text = r#"(module (memory 2049)
      (func (export "_initialize")
        (memory.fill (i32.const 0) (i32.const 1) (i32.const 0x8010000))))"#;
    assert!(refusal(text).contains("more than 134217728 bytes"));
}

/// Each kind of initialiser counts in a decimal digit of its own.
const INITIALISERS: &str = r#"
  (global $n (mut i32) (i32.const 0))
  (func $add (param i32) (global.set $n (i32.add (global.get $n) (local.get 0))))
  (func $start (call $add (i32.const 1))) (start $start)
  (func (export "value") (result i32) (global.get $n))
  (func (export "init") (call $add (i32.const 10000)))"#;

#[test]
fn initialisers_do_not_run_again_in_a_snapshot() {
    let initialize = r#"(func (export "_initialize") (call $add (i32.const 10)))"#;
    let constructors = r#"(func (export "__wasm_call_ctors") (call $add (i32.const 100)))"#;
    let haskell = r#"(func (export "hs_init") (param i32 i32) (call $add (i32.const 1000)))"#;
    for (exports, expected) in [
        (String::new(), 1),
        (initialize.to_owned(), 11),
        (constructors.to_owned(), 101),
        (format!("{initialize}{constructors}"), 101),
        (format!("{initialize}{constructors}{haskell}"), 1011),
    ] {
        let text = format!("(module {INITIALISERS} {exports})");
        let plain = load(text.as_bytes(), None).unwrap();
        assert_eq!(code(&plain, "value"), expected);

        let plugin = restored(&snapshot(&text));
        for _ in 0..2 {
            assert_eq!(code(&plugin, "value"), expected);
            plugin.reset().unwrap();
        }

        // A function of the plugin that is called before the snapshot runs after the initialisers.
        let plugin = draft(&text);
        assert_eq!(code(&plugin, "init"), 0);
        let plugin = restored(&plugin.take_snapshot().unwrap());
        assert_eq!(code(&plugin, "value"), expected + 10_000);
        assert_eq!(code(&plugin, "init"), 0);
        assert_eq!(code(&plugin, "value"), expected + 20_000);
    }
}

#[test]
fn a_snapshot_that_is_compiled_as_a_plain_module_is_initialised_again() {
    let text = format!(
        r#"(module {INITIALISERS} (func (export "_initialize") (call $add (i32.const 10))))"#
    );
    let module = snapshot(&text);
    assert_eq!(code(&load(&module, None).unwrap(), "value"), 21);
    assert_eq!(code(&restored(&module), "value"), 11);
}

#[test]
fn globals_of_all_number_types_are_kept_bit_by_bit() {
    let text = r#"(module
      (global $i32 (mut i32) (i32.const 0)) (global $i64 (mut i64) (i64.const 0))
      (global $f32 (mut f32) (f32.const 0)) (global $f64 (mut f64) (f64.const 0))
      (global $v128 (mut v128) (v128.const i64x2 0 0))
      (global $nothing (mut externref) (ref.null extern)) (global $fixed i32 (i32.const 7))
      (func (export "_initialize")
        (global.set $i32 (i32.const -1)) (global.set $i64 (i64.const 0x8000000000000001))
        (global.set $f32 (f32.reinterpret_i32 (i32.const 0x7fa00001)))
        (global.set $f64 (f64.reinterpret_i64 (i64.const 0xfff4000000000001)))
        (global.set $v128 (v128.const i64x2 0x123456789abcdef0 -2)))
      (func (export "whole") (result i32)
        (i32.eq (global.get $i32) (i32.const -1))
        (i64.eq (global.get $i64) (i64.const 0x8000000000000001))
        (i32.eq (i32.reinterpret_f32 (global.get $f32)) (i32.const 0x7fa00001))
        (i64.eq (i64.reinterpret_f64 (global.get $f64)) (i64.const 0xfff4000000000001))
        (i8x16.all_true (i8x16.eq (global.get $v128) (v128.const i64x2 0x123456789abcdef0 -2)))
        (ref.is_null (global.get $nothing)) (i32.eq (global.get $fixed) (i32.const 7))
        i32.and i32.and i32.and i32.and i32.and i32.and))"#;
    assert_eq!(code(&load(text.as_bytes(), None).unwrap(), "whole"), 1);
    assert_eq!(code(&restored(&snapshot(text)), "whole"), 1);
}

#[test]
fn memories_are_kept_with_their_sizes_and_their_last_bytes() {
    let text = r#"(module
      (memory $small 1 4) (memory $large i64 1) (memory $empty 0)
      (data (memory $small) (i32.const 10) "first")
      (func (export "_initialize")
        (i32.store8 $small (i32.const 10) (i32.const 0))
        (drop (memory.grow $small (i32.const 1)))
        (i32.store8 $small (i32.const 131071) (i32.const 9))
        (drop (memory.grow $large (i64.const 3)))
        (i64.store $large (i64.const 200000) (i64.const -1)))
      (func (export "whole") (result i32)
        (i32.eq (i32.load8_u $small (i32.const 10)) (i32.const 0))
        (i32.eq (i32.load8_u $small (i32.const 11)) (i32.const 105))
        (i32.eq (i32.load8_u $small (i32.const 131071)) (i32.const 9))
        (i32.eq (memory.size $small) (i32.const 2))
        (i64.eq (i64.load $large (i64.const 200000)) (i64.const -1))
        (i64.eq (memory.size $large) (i64.const 4))
        (i32.eqz (memory.size $empty))
        (i32.eq (memory.grow $small (i32.const 3)) (i32.const -1))
        i32.and i32.and i32.and i32.and i32.and i32.and i32.and))"#;
    assert_eq!(code(&load(text.as_bytes(), None).unwrap(), "whole"), 1);
    assert_eq!(code(&restored(&snapshot(text)), "whole"), 1);
}

#[test]
fn passive_segments_are_kept_and_active_ones_are_dropped() {
    // An active segment is dropped once it was copied. A passive one stays.
    let text = r#"(module (memory 1)
      (data $active (i32.const 0) "abc") (data $passive "xyz") (data $last (i32.const 8) "end")
      (func (export "_initialize") (i32.store8 (i32.const 0) (i32.const 65)))
      (func (export "passive") (result i32)
        (memory.init $passive (i32.const 100) (i32.const 0) (i32.const 3))
        (i32.load (i32.const 100)))
      (func (export "active")
        (memory.init $active (i32.const 0) (i32.const 0) (i32.const 1)))
      (func (export "first") (result i32) (i32.load8_u (i32.const 0))))"#;
    for plugin in [
        load(text.as_bytes(), None).unwrap(),
        restored(&snapshot(text)),
    ] {
        assert_eq!(code(&plugin, "passive"), i32::from_le_bytes(*b"xyz\0"));
        assert_eq!(code(&plugin, "first"), 65);
        let error = finish(plugin.start("active", b"", OPTIONS).unwrap()).unwrap_err();
        assert_eq!(error.reason, Reason::Trap);
    }
}

#[test]
fn tables_of_a_snapshot_have_their_initial_elements() {
    let text = r#"(module (type $f (func (result i32)))
      (table (export "table") 3 funcref) (elem (i32.const 1) $one $two)
      (func $one (result i32) (i32.const 1)) (func $two (result i32) (i32.const 2))
      (func (export "_initialize") (drop (call_indirect (type $f) (i32.const 1))))
      (func (export "call") (result i32) (call_indirect (type $f) (i32.const 2))))"#;
    assert_eq!(code(&restored(&snapshot(text)), "call"), 2);
}

#[test]
fn a_snapshot_can_be_taken_of_a_module_without_most_sections() {
    for text in [
        "(module)",
        "(module (memory 1))",
        "(module (global (mut i32) (i32.const 1)))",
        "(module (table 1 funcref))",
        r#"(module (memory 1) (data (i32.const 0) "x"))"#,
    ] {
        initialise(&restored(&snapshot(text)));
    }
}

#[test]
fn a_snapshot_has_the_exports_of_its_module() {
    let text = r#"(module (memory (export "memory") 1) (global (mut i32) (i32.const 0))
      (func (export "_initialize")) (func (export "run")))"#;
    let plugin = restored(&snapshot(text));
    let exports: Vec<_> = plugin
        .main()
        .module_type()
        .exports
        .iter()
        .map(|export| &*export.name)
        .collect();
    assert_eq!(exports, ["memory", "_initialize", "run"]);
}

#[test]
fn a_snapshot_can_be_taken_of_a_snapshot() {
    let text = format!("(module {INITIALISERS})");
    let plugin = load(&snapshot(&text), Some(Stage::Draft)).unwrap();
    assert_eq!(code(&plugin, "init"), 0);
    let plugin = restored(&plugin.take_snapshot().unwrap());
    assert_eq!(code(&plugin, "value"), 10_001);
}
