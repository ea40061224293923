//! The proposals for WebAssembly that the engine has, and advice for modules that use others.

use wasmparser::WasmFeatures;

/// The features that the engine has. The engine's configuration must agree with them.
pub const FEATURES: WasmFeatures = WasmFeatures::WASM3
    .union(WasmFeatures::GC_TYPES)
    .difference(WasmFeatures::THREADS);

/// The validator's name for a proposal, the name that people use, and how to build a module without it.
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

/// The message for a module that is invalid because of `why`, if it uses a proposal that the engine does not have.
pub fn advice(why: &str) -> Option<String> {
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
    // Some messages of the validator have the names of flags.
    let why = why.replace('_', " ");
    let (_, what, instead) = PROPOSALS.iter().find(|(name, ..)| why.contains(name))?;
    Some(format!(
        "it uses {what}, which Vitrine does not support; {instead}"
    ))
}
