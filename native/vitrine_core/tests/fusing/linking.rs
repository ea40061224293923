//! Accessors that do not come from the kernel, or are not called directly by their names.

use vitrine_core::{CompileOptions, HostFunction, PluginOptions, Reason, Settings};

use crate::support::{Both, IMPORTS, compiled, word};

/// Stores to a block and loads from it, byte by byte and eight at a time, some of it in copy loops,
/// and gives the sum of all that it loads.
const GUEST: &str = r#"
  (memory (export "memory") 1)
  (func (export "run") (local $block i64) (local $sum i64) (local $p i64) (local $g i32)
    (local.set $block (call $alloc (i64.const 1000)))
    (i64.store (i32.const 0) (i64.const 0x1122334455667788))
    (memory.copy (i32.const 8) (i32.const 0) (i32.const 800))
    (local.set $p (local.get $block))
    (loop $turn
      (call $store_u64 (local.get $p) (i64.load (local.get $g)))
      (local.set $g (i32.add (local.get $g) (i32.const 8)))
      (local.set $p (i64.add (local.get $p) (i64.const 8)))
      (br_if $turn (i32.ne (local.get $g) (i32.const 800))))
    (call $store_u8 (local.get $block) (i32.const 99))
    (local.set $p (local.get $block)) (local.set $g (i32.const 2048))
    (loop $turn
      (i32.store8 (local.get $g) (call $load_u8 (local.get $p)))
      (local.set $g (i32.add (local.get $g) (i32.const 1)))
      (local.set $p (i64.add (local.get $p) (i64.const 1)))
      (br_if $turn (i32.ne (local.get $g) (i32.const 2148))))
    (local.set $sum (i64.add (i64.load (i32.const 2050)) (call $load_u64 (local.get $block))))
    (local.set $sum (i64.add (local.get $sum) (call $input_load_u64 (i64.const 0))))
    (local.set $sum (i64.add (local.get $sum) (i64.extend_i32_u (call $input_load_u8 (i64.const 1)))))
    (local.set $sum (i64.add (local.get $sum) (call $input_length)))
    (call $store_u64 (local.get $block) (local.get $sum))
    (call $output_set (local.get $block) (i64.const 1000)))"#;

const INPUT: &[u8] = b"ten bytes.";

fn module() -> String {
    format!("(module {IMPORTS} {GUEST})")
}

fn host(namespace: &str, name: &str) -> HostFunction {
    HostFunction {
        namespace: namespace.into(),
        name: name.into(),
        signature: None,
    }
}

#[test]
fn a_host_function_of_an_accessors_name_is_called() {
    let usual = Both::new(&module()).call("run", INPUT).unwrap();
    let ns = "extism:host/env";
    for name in ["load_u64", "input_load_u64", "input_length"] {
        let modules = [("main", &*module())];
        let both = Both::link(&modules, &[host(ns, name)], &PluginOptions::default()).unwrap();
        let output = both.call("run", INPUT).unwrap();
        assert_ne!(word(&output), word(&usual), "{name}");
        assert_eq!(output[8..], usual[8..]);
    }
    // A function that is not an accessor may come from the host without a difference.
    let both = Both::link(
        &[("main", &module())],
        &[host(ns, "free")],
        &PluginOptions::default(),
    );
    assert_eq!(both.unwrap().call("run", INPUT).unwrap(), usual);
}

#[test]
fn another_modules_accessors_are_called() {
    let usual = Both::new(&module()).call("run", INPUT).unwrap();
    let library = r#"(module
      (func (export "load_u8") (param i64) (result i32) (i32.const 5)))"#;
    let modules = [("main", &*module()), ("extism:host/env", library)];
    let both = Both::link(&modules, &[], &PluginOptions::default()).unwrap();
    let output = both.call("run", INPUT).unwrap();
    let loaded = word(&output).wrapping_sub(word(&usual));
    assert_eq!(
        loaded,
        0x0505_0505_0505_0505u64.wrapping_sub(0x7788_1122_3344_5566)
    );
    assert_eq!(output[8..], usual[8..]);
}

#[test]
fn libraries_share_the_kernel_fused_or_not() {
    let library = format!(
        r#"(module {IMPORTS}
          (func (export "twice") (param i64) (result i64)
            (call $store_u64 (local.get 0) (i64.mul (call $load_u64 (local.get 0)) (i64.const 2)))
            (call $input_load_u64 (i64.const 0)))
          (func (export "_start")))"#
    );
    for library in [library.replace("_start", "other"), library] {
        let main = format!(
            r#"(module {IMPORTS} (import "lib" "twice" (func $twice (param i64) (result i64)))
              (func (export "run") (local $block i64)
                (local.set $block (call $alloc (i64.const 16)))
                (call $store_u64 (local.get $block) (i64.const 21))
                (call $store_u64 (i64.add (local.get $block) (i64.const 8))
                  (call $twice (local.get $block)))
                (call $output_set (local.get $block) (i64.const 16))))"#
        );
        let modules = [("main", &*main), ("lib", &*library)];
        let both = Both::link(&modules, &[], &PluginOptions::default()).unwrap();
        for _ in 0..3 {
            let output = both.call("run", b"01234567").unwrap();
            assert_eq!(
                output,
                [&[42, 0, 0, 0, 0, 0, 0, 0], &b"01234567"[..]].concat()
            );
        }
    }
}

#[test]
fn accessors_can_be_called_in_every_other_way() {
    let text = format!(
        r#"(module {IMPORTS}
          (type $load (func (param i64) (result i64)))
          (table $t 4 funcref) (elem (table $t) (i32.const 1) func $load_u64 $input_load_u64)
          (export "load" (func $load_u64)) (global $f (ref null $load) (ref.func $input_load_u64))
          (memory 1) (memory $m 1) (data (memory $m) (i32.const 5) "\07")
          (export "second" (memory $m))
          (func $tail (param i64) (result i64) (return_call $load_u64 (local.get 0)))
          (func (export "run") (local $block i64)
            (local.set $block (call $alloc (i64.const 40)))
            (call $store_u64 (local.get $block)
              (call_indirect $t (type $load) (i64.const 0) (i32.const 2)))
            (call $store_u64 (i64.add (local.get $block) (i64.const 8))
              (call_indirect $t (type $load) (local.get $block) (i32.const 1)))
            (call $store_u64 (i64.add (local.get $block) (i64.const 16))
              (call_ref $load (i64.const 1) (global.get $f)))
            (call $store_u64 (i64.add (local.get $block) (i64.const 24)) (call $tail (local.get $block)))
            (call $store_u64 (i64.add (local.get $block) (i64.const 32))
              (i64.load8_u $m (i32.const 5)))
            (call $output_set (local.get $block) (i64.const 40)))
          (func (export "unreachable")
            (unreachable) (call $store_u64) (call $load_u64) (drop) (call $store_u8) (call $load_u8)
            (drop)))"#
    );
    let both = Both::new(&text);
    let output = both.call("run", b"012345678").unwrap();
    assert_eq!(output[..16], *b"0123456701234567");
    assert_eq!(output[32], 7);
    assert_eq!(
        both.call("unreachable", b"").unwrap_err().reason,
        Reason::Trap
    );
}

#[test]
fn plugins_of_the_old_abi_are_fused() {
    let text = module().replace(r#""extism:host/env" ""#, r#""env" "extism_"#);
    assert!(text.contains("extism_load_u64"));
    let usual = Both::new(&module()).call("run", INPUT).unwrap();
    assert_eq!(Both::new(&text).call("run", INPUT).unwrap(), usual);
}

#[test]
fn a_guest_cannot_import_the_kernels_memory() {
    let own = r#"(import "vitrine:kernel" "memory" (memory 0))"#;
    for imports in ["", IMPORTS] {
        let text = format!(
            r#"(module {imports} {own}
              (func (export "run") {}))"#,
            if imports.is_empty() {
                ""
            } else {
                "(drop (call $load_u8 (i64.const 0)))"
            }
        );
        let error = Both::link(&[("main", &text)], &[], &PluginOptions::default());
        let error = error.err().unwrap();
        assert_eq!(error.reason, Reason::Link);
        assert!(
            error
                .message
                .contains(r#"the import "vitrine:kernel"."memory" (a memory) is unknown"#),
            "{error}"
        );
    }
}

#[test]
fn imports_of_wrong_types_and_unknown_imports_are_refused_in_fused_modules() {
    for (wrong, call) in [
        (
            r#"(import "extism:host/env" "load_u8" (func $wrong (param i32) (result i32)))"#,
            "",
        ),
        (
            r#"(import "extism:host/env" "config_get" (func $wrong (param i32)))"#,
            "",
        ),
        (r#"(import "extism:host/user" "nothing" (func $wrong))"#, ""),
        (
            r#"(import "extism:host/env" "nothing" (func $wrong))"#,
            "(call $wrong)",
        ),
    ] {
        let text = format!(
            r#"(module (import "extism:host/env" "input_length" (func $length (result i64))) {wrong}
              (func (export "run") {call} (drop (call $length))))"#
        );
        let messages = [false, true].map(|fuse| {
            let options = CompileOptions {
                fuse,
                ..CompileOptions::default()
            };
            let module = compiled(text.as_bytes(), options).unwrap();
            assert_eq!(module.is_fused(), fuse);
            let modules = vec![("main".into(), module)];
            vitrine_core::LinkedPlugin::new(&modules, 0, &[], false)
                .err()
                .unwrap()
                .message
        });
        assert_eq!(messages[0], messages[1]);
    }
}

#[test]
fn modules_without_accessors_and_debugged_modules_are_not_fused() {
    let is_fused = |text: &str, options| compiled(text.as_bytes(), options).unwrap().is_fused();
    let usual = CompileOptions::default();
    let debug = CompileOptions {
        settings: Settings {
            debug: true,
            ..Settings::default()
        },
        ..usual
    };
    assert!(is_fused(&module(), usual));
    assert!(!is_fused(&module(), debug));
    assert!(!is_fused(&format!("(module {IMPORTS} (memory 1))"), usual));
    assert!(!is_fused("(module (memory 1))", usual));
}
