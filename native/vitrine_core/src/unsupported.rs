//! Proposals for WebAssembly that the engine does not have: what they are called, and how to build without.

use wasmparser::WasmFeatures;

/// What the engine has: what `engine::config` says.
pub(crate) const FEATURES: WasmFeatures = WasmFeatures::WASM3
    .union(WasmFeatures::GC_TYPES)
    .difference(WasmFeatures::THREADS);

/// How the validator names a proposal, what people call it, and how to build without.
const PROPOSALS: [(&str, &str, &str); 8] = [
    (
        "shared-everything-threads",
        "shared-everything threads",
        "build it without them",
    ),
    (
        "threads",
        "threads (shared memories and atomic instructions)",
        "build it without: Emscripten and wasi-sdk without -pthread; Rust for wasm32-wasip1 instead of \
         wasm32-wasip1-threads, without -C target-feature=+atomics; wasm-ld without --shared-memory",
    ),
    (
        "legacy exceptions",
        "legacy exceptions",
        "build it with those of the standard: Emscripten with -fwasm-exceptions -sWASM_LEGACY_EXCEPTIONS=0; clang with \
         -mllvm -wasm-use-legacy-eh=false; Rust with -C llvm-args=-wasm-use-legacy-eh=false; or translate the module \
         with wasm-opt --translate-to-exnref",
    ),
    (
        "custom page sizes",
        "custom page sizes",
        "build it with pages of 64 KiB: wasm-ld without --page-size",
    ),
    (
        "stack switching",
        "stack switching (continuations)",
        "build it without",
    ),
    (
        "wide arithmetic",
        "wide arithmetic",
        "build it without: clang without -mwide-arithmetic; Rust without -C target-feature=+wide-arithmetic",
    ),
    ("memory control", "memory control", "build it without"),
    (
        "custom descriptors",
        "custom descriptors",
        "build it without",
    ),
];

/// What to say of a module that is not valid for `why`, if it would be with a proposal that the engine does not have.
pub(crate) fn advice(why: &str) -> Option<String> {
    let refused = [
        "is not enabled",
        "must be enabled",
        "is disabled",
        "require",
        "not supported",
    ];
    if !refused.iter().any(|words| why.contains(words)) {
        return None;
    }
    // Some of its messages have the names of flags.
    let why = why.replace('_', " ");
    let (_, what, instead) = PROPOSALS.iter().find(|(name, ..)| why.contains(name))?;
    Some(format!(
        "it uses {what}, which Vitrine does not support; {instead}"
    ))
}

#[cfg(test)]
mod tests {
    use wasmtime::Module;

    use super::*;
    use crate::compile::{binary, invalid};
    use crate::engine::Settings;
    use crate::platform::Platform;

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
        let platform = Platform::get(Settings::default()).unwrap();
        let engines = Module::validate(&platform.engine, &wasm).err();
        assert_eq!(
            own.is_some(),
            engines.is_some(),
            "{text}: {own:?}, {engines:?}"
        );
        own
    }

    #[test]
    fn what_is_not_supported_is_told_by_its_name_with_how_to_build_without() {
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
    fn what_the_engine_has_is_what_modules_are_validated_with() {
        for text in SUPPORTED {
            assert_eq!(refusal(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_otherwise_is_told_as_it_is() {
        let why = refusal("(func (result i32))").unwrap();
        assert!(invalid(why).message.contains("type mismatch"));
        let wrong = binary(b"(module (func i32.threads))").unwrap_err();
        assert!(!wrong.message.contains("support"), "{}", wrong.message);
    }
}
