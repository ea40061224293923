//! Compares the cost of compiling a module with that of Wasmtime alone, in the same configuration. The cost is the
//! processor time of the whole process, in seconds, for each of the files.
//!
//! ```sh
//! cargo bench -p vitrine_core --bench compiling -- vitrine a.wasm b.wasm
//! cargo bench -p vitrine_core --bench compiling -- wasmtime a.wasm b.wasm
//! ```
//!
//! Each command prints a line for each file: the compiler, seconds, bytes of the module, bytes of the code, and the file.

// A benchmark that panics has failed.
#![allow(clippy::unwrap_used)]

use std::sync::LazyLock;
use std::time::Duration;

use vitrine_core::{CompileOptions, Settings, config};
use vitrine_test_support as support;
use wasmtime::{Engine, Module};

fn main() {
    let mut arguments = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench");
    let Some(compiler) = arguments.next() else {
        return;
    };
    let compile: fn(&[u8]) -> usize = match &*compiler {
        "vitrine" => by_vitrine,
        "wasmtime" => by_wasmtime,
        other => panic!("there is no compiler {other}"),
    };
    // Engines, threads and the kernel are made once, here.
    compile(b"\0asm\x01\0\0\0");
    for file in arguments {
        let bytes = std::fs::read(&file).unwrap();
        let before = used();
        let code = compile(&bytes);
        println!(
            "{compiler}\t{:.3}\t{}\t{code}\t{file}",
            used() - before,
            bytes.len()
        );
    }
}

fn by_vitrine(bytes: &[u8]) -> usize {
    let compiled = support::compiled(bytes, CompileOptions::default());
    compiled.unwrap().code_size()
}

fn by_wasmtime(bytes: &[u8]) -> usize {
    static ENGINE: LazyLock<Engine> =
        LazyLock::new(|| Engine::new(&config(Settings::default())).unwrap());
    Module::new(&ENGINE, bytes).unwrap().text().len()
}

/// The processor time of all threads together, in seconds.
fn used() -> f64 {
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten();
    let nanos = threads.flatten().filter_map(|thread| {
        let stat = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        stat.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanos.sum()).as_secs_f64()
}
