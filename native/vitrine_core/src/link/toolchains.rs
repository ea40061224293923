//! Recognises imports that a toolchain expects from a host of its own, mostly JavaScript. Says which toolchain made the
//! import, and how to build without it.

use vitrine_rewrite::{Extern, Import, features};
use wasmparser::{FuncType, ValType};

use crate::host::extism::ENV;
use crate::text::quoted;

const ASSEMBLYSCRIPT: &str = "it is AssemblyScript's: build with asc --use abort= (or with a function of the \
    plugin's own: --use abort=assembly/index/abort)";
const ASSEMBLYSCRIPT_TRACE: &str =
    "it is AssemblyScript's: build with asc --use trace=, or without calls of trace";
const ASSEMBLYSCRIPT_SEED: &str =
    "it is AssemblyScript's, for Math.random: build with asc --use seed=";
const WASM_BINDGEN: &str = "it is wasm-bindgen's, for JavaScript: build with cargo build --target wasm32-wasip1 or \
    wasm32-unknown-unknown (not wasm-pack), without the features of dependencies that use JavaScript (getrandom's \
    js and wasm_js, chrono's wasmbind, uuid's js)";
const GO: &str = "it is Go's, for JavaScript: build with GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared, or \
    tinygo build -target wasip1 -buildmode=c-shared";
const EMSCRIPTEN: &str = "it is of Emscripten's JavaScript: build with emcc -sSTANDALONE_WASM --no-entry, or with \
    wasi-sdk";
const EMSCRIPTEN_INVOKE: &str = "it is of Emscripten's exceptions or longjmp by JavaScript: build with emcc \
    -fwasm-exceptions -sWASM_LEGACY_EXCEPTIONS=0 -sSUPPORT_LONGJMP=wasm";
const EMSCRIPTEN_GROWTH: &str = "it is Emscripten's: build without -sALLOW_MEMORY_GROWTH and with enough \
    -sINITIAL_MEMORY, or give a host function that does nothing (Vitrine.HostFunction.new/5 with [:i32] and \
    namespace: \"env\")";
const JAVY: &str = "it is of a Javy module that is linked dynamically: build with javy build without -C dynamic, or \
    give the engine's module under this name in the manifest";
const WASI_UNSTABLE: &str = "it is WASI from before preview 1: build with a toolchain of 2020 or later, for \
    wasm32-wasip1";
const WASI_PREVIEW2: &str =
    "it is of WASI preview 2 or later, which components have: build for wasm32-wasip1";
const WASIX: &str = "it is of WASIX, Wasmer's: build for wasm32-wasip1 with wasi-sdk or cargo";
const WASI_THREADS: &str = "it starts a thread, which Vitrine does not support: build for wasm32-wasip1 instead of \
    wasm32-wasip1-threads, without -pthread";
const WASI_NN: &str = "it is of a proposal that Vitrine does not have";
const WASI_SOCKETS: &str =
    "it opens sockets by another host's extension of WASI; Vitrine gives no sockets";
const MOONBIT: &str = "it is what MoonBit's println calls: log by the PDK instead";
const KOTLIN: &str =
    "it is of Kotlin's target for JavaScript: build for the target wasmWasi instead of wasmJs";
const DART: &str = "it is of dart2wasm, which needs JavaScript";
const SWIFT: &str = "it is of Swift's JavaScriptKit: build without it, for wasm32-unknown-wasip1";
const JS_STRINGS: &str =
    "it is of the strings of JavaScript: build without the toolchain's JavaScript builtins";
const TEAVM: &str = "it is of TeaVM's JavaScript: build for its target for WASI";

/// The toolchain that made an import for another kind of host, and how to build without the import.
pub(super) fn advice(
    namespace: &str,
    name: &str,
    function: Option<&FuncType>,
) -> Option<&'static str> {
    Some(match namespace {
        "env" => return of_env(name, function),
        "wbg" => WASM_BINDGEN,
        _ if namespace.starts_with("__wbindgen") || namespace.ends_with("_bg.js") => WASM_BINDGEN,
        "gojs" | "go" => GO,
        _ if namespace.starts_with("javy") => JAVY,
        "wasi_unstable" => WASI_UNSTABLE,
        "wasi" if name == "thread-spawn" => WASI_THREADS,
        _ if namespace.starts_with("wasi:") => WASI_PREVIEW2,
        _ if namespace.starts_with("wasix") => WASIX,
        _ if namespace.starts_with("wasi_ephemeral") || namespace == "wasi_nn" => WASI_NN,
        "wasi_snapshot_preview1" if name.starts_with("sock_") => WASI_SOCKETS,
        "spectest" if name == "print_char" => MOONBIT,
        "js_code" => KOTLIN,
        "dart2wasm" => DART,
        "javascript_kit" => SWIFT,
        "wasm:js-string" => JS_STRINGS,
        _ if namespace.starts_with("teavm") => TEAVM,
        // Emscripten's name for everything in a minified module.
        "a" if name.len() <= 2 => EMSCRIPTEN,
        _ => return None,
    })
}

fn of_env(name: &str, function: Option<&FuncType>) -> Option<&'static str> {
    let params = function.map_or(&[][..], FuncType::params);
    Some(match name {
        // Emscripten's `abort` has no parameters.
        "abort" if params == [ValType::I32; 4] => ASSEMBLYSCRIPT,
        "trace" if params.len() == 7 => ASSEMBLYSCRIPT_TRACE,
        "seed" if params.is_empty() => ASSEMBLYSCRIPT_SEED,
        _ if name.starts_with("console.") || name.starts_with("Date.") => ASSEMBLYSCRIPT_WEB,
        "emscripten_notify_memory_growth" => EMSCRIPTEN_GROWTH,
        _ if name.starts_with("invoke_") || name.starts_with("__cxa_") => EMSCRIPTEN_INVOKE,
        "__resumeException" | "_emscripten_throw_longjmp" | "emscripten_longjmp" | "setThrew" => {
            EMSCRIPTEN_INVOKE
        }
        "abort" | "abortOnCannotGrowMemory" | "_abort_js" | "__assert_fail" => EMSCRIPTEN,
        _ if EMSCRIPTENS.iter().any(|prefix| name.starts_with(prefix)) => EMSCRIPTEN,
        _ => return None,
    })
}

const ASSEMBLYSCRIPT_WEB: &str = "it is of AssemblyScript's bindings to JavaScript: log and tell the time by the PDK \
    instead";

/// The prefixes of functions of Emscripten's JavaScript.
const EMSCRIPTENS: [&str; 12] = [
    "emscripten_",
    "_emscripten_",
    "__emscripten_",
    "_embind_",
    "__embind_",
    "_emval_",
    "__syscall",
    "_mmap_js",
    "_munmap_js",
    "_tzset_js",
    "_localtime_js",
    "__call_sighandler",
];

/// Whether this is a namespace that toolchains use unless they are told another one.
pub(super) fn is_common(namespace: &str) -> bool {
    matches!(
        namespace,
        "env" | "extism" | "host" | "extism:host/user" | "extism:host"
    )
}

/// Advice for an unknown import that is not a function.
pub(super) fn no_function(import: &Import) -> String {
    let (namespace, name) = (&*import.namespace, &*import.name);
    if namespace == ENV {
        return "the Extism ABI has functions only".into();
    }
    if let Extern::Memory(memory) = &import.ty {
        let unsupported = if memory.shared {
            features::advice("threads must be enabled")
        } else if memory.page_size_log2.is_some() {
            features::advice("custom page sizes must be enabled")
        } else {
            None
        };
        if let Some(advice) = unsupported {
            return advice;
        }
    }
    let dynamic = namespace.starts_with("GOT.")
        || matches!(name, "__memory_base" | "__table_base" | "__stack_pointer");
    if dynamic {
        return "it is of a dynamic library: link statically (without -shared, -sSIDE_MODULE and -fPIC)".into();
    }
    if let Some(advice) = advice(namespace, name, None).filter(|_| namespace != "env") {
        return advice.into();
    }
    let how = match import.ty {
        Extern::Memory(_) => {
            "build the plugin with a memory of its own (wasm-ld, Rust and Zig: without --import-memory; Emscripten: \
             -sIMPORTED_MEMORY=0; AssemblyScript: without --importMemory)"
        }
        Extern::Table(_) => {
            "build the plugin with a table of its own (wasm-ld: without --import-table; AssemblyScript: without \
             --importTable)"
        }
        Extern::Tag(_) => {
            "build the plugin with the tag of its own (as a whole program, not as a dynamic library)"
        }
        _ => "build the plugin with a value of its own",
    };
    format!(
        "the host gives functions only: {how}, or give a module of the name {} that exports it",
        quoted(namespace)
    )
}
