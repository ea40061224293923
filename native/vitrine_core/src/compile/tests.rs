//! Tests that proposals which the engine does not support are refused by name, and that those which it supports are accepted.

use vitrine_rewrite::features::FEATURES;
use wasmtime::Module;

use super::binary::{binary, invalid};
use super::engine::{Settings, engine};

const UNSUPPORTED: [(&str, &str); 13] = [
    ("threads (", "(memory 1 1 shared)"),
    (
        "threads (",
        "(import \"env\" \"memory\" (memory 1 1 shared))",
    ),
    (
        "threads (",
        "(memory 1) (func (drop (i32.atomic.load (i32.const 0))))",
    ),
    ("threads (", "(func (atomic.fence))"),
    ("legacy exceptions", "(tag) (func try catch_all end)"),
    (
        "legacy exceptions",
        "(tag) (func try catch 0 rethrow 0 end)",
    ),
    ("custom page sizes", "(memory 1 (pagesize 1))"),
    (
        "wide arithmetic",
        "(func (drop (i64.mul_wide_s (i64.const 0) (i64.const 0))) drop)",
    ),
    (
        "shared-everything threads",
        "(global (shared i32) (i32.const 0))",
    ),
    ("shared-everything threads", "(table shared 1 funcref)"),
    ("stack switching", "(type $f (func)) (type (cont $f))"),
    (
        "stack switching",
        "(type $f (func)) (type $c (cont $f)) (func (drop (cont.new $c (ref.null $f))))",
    ),
    (
        "memory control",
        "(memory 1) (func (memory.discard (i32.const 0) (i32.const 0)))",
    ),
];

const SUPPORTED: [&str; 10] = [
    "(func (drop (i8x16.splat (i32.const 0))))",
    "(func (param v128) (drop (i8x16.relaxed_swizzle (local.get 0) (local.get 0))))",
    "(memory 1) (memory i64 1)",
    "(table i64 1 funcref)",
    "(func return_call 0)",
    "(tag) (func (block (try_table (catch_all 0))))",
    "(type $f (func)) (func (param (ref $f)) (call_ref $f (local.get 0)))",
    "(type $a (array i8)) (func (drop (array.new_default $a (i32.const 1))))",
    "(global i32 (i32.add (i32.const 1) (i32.const 1)))",
    "(func (result externref) (ref.null extern))",
];

fn refusal(text: &str) -> Option<String> {
    let wasm = wat::parse_str(format!("(module {text})")).unwrap();
    let mut validator = wasmparser::Validator::new_with_features(FEATURES);
    let own = validator.validate_all(&wasm).err().map(|e| e.to_string());
    let engine = engine(Settings::default()).unwrap();
    let engines = Module::validate(engine, &wasm).err();
    assert_eq!(
        own.is_some(),
        engines.is_some(),
        "{text}: {own:?}, {engines:?}"
    );
    own
}

#[test]
fn unsupported_proposal_is_named_with_advice_how_to_build_without_it() {
    for (what, text) in UNSUPPORTED {
        let why = refusal(text).unwrap_or_else(|| panic!("{text} is valid"));
        let message = invalid(&why).message;
        assert!(
            message.starts_with(&format!("the module cannot be compiled: it uses {what}")),
            "{text}: {why}"
        );
        assert!(message.contains("does not support; build it"), "{message}");
    }
}

#[test]
fn modules_are_validated_with_the_proposals_of_the_engine() {
    for text in SUPPORTED {
        assert_eq!(refusal(text), None, "{text}");
    }
}

#[test]
fn errors_other_than_unsupported_proposals_are_shown_unchanged() {
    let why = refusal("(func (result i32))").unwrap();
    assert!(invalid(why).message.contains("type mismatch"));
    let wrong = binary(b"(module (func i32.threads))").unwrap_err();
    assert!(!wrong.message.contains("support"), "{}", wrong.message);
}
