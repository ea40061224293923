//! Proposals for WebAssembly that the engine does not have: what they are called, and how to build without.

use wasmparser::WasmFeatures;

/// What the engine has: what `engine::config` says.
pub const FEATURES: WasmFeatures = WasmFeatures::WASM3
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
    // Some of its messages have the names of flags.
    let why = why.replace('_', " ");
    let (_, what, instead) = PROPOSALS.iter().find(|(name, ..)| why.contains(name))?;
    Some(format!(
        "it uses {what}, which Vitrine does not support; {instead}"
    ))
}
