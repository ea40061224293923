//! Measures the gain and the cost of fusing: `echo` of each guest, and compiling it, unfused and fused in turns.
//!
//! `cargo bench -p vitrine_core --bench fusing [GUEST...]`

// A benchmark that panics has failed.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use vitrine_core::{
    CompileOptions, CompiledModule, HostFunction, LinkedPlugin, Plugin, PluginOptions, Scheduler,
    Step, Wasi,
};
use vitrine_test_support as support;

const SIZES: [usize; 3] = [64, 64 << 10, 6_400_000];
const GUESTS: [&str; 9] = [
    "rust_minimal",
    "rust",
    "c",
    "cpp",
    "d",
    "zig",
    "assemblyscript",
    "javascript",
    "go",
];
/// About so many bytes of modules are compiled, unfused and fused. Each module is compiled a few times at least.
const COMPILED_BYTES: usize = 2_000_000;

/// The processor time of all threads together. It is 0 on systems other than Linux.
fn processor_time() -> Duration {
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten();
    let nanos = threads.flatten().filter_map(|thread| {
        let stat = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        stat.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanos.sum())
}

/// Compiles a module. Also gives the time that this took, by the clock and of the processors.
fn compiled(wasm: &[u8], fuse: bool) -> (Arc<CompiledModule>, [Duration; 2]) {
    let options = CompileOptions {
        fuse,
        ..CompileOptions::default()
    };
    let (begin, used) = (Instant::now(), processor_time());
    let module = support::compiled(wasm, options).unwrap();
    (module, [begin.elapsed(), processor_time() - used])
}

fn plugin(module: Arc<CompiledModule>) -> Arc<Plugin> {
    let functions = ["greet", "tick"].map(|name| HostFunction {
        namespace: "extism:host/user".into(),
        name: name.into(),
        signature: None,
    });
    let linked = LinkedPlugin::new(&vec![("main".into(), module)], 0, &functions, true).unwrap();
    let options = PluginOptions {
        wasi: Some(Wasi::default()),
        ..PluginOptions::default()
    };
    Plugin::new(linked, options).unwrap()
}

/// How long a call takes, from the first slice on.
fn echo(plugin: &Arc<Plugin>, input: &[u8]) -> Duration {
    let mut call = plugin.start("echo", input, support::OPTIONS).unwrap();
    let begin = Instant::now();
    loop {
        match call.resume(Scheduler::Dirty, None) {
            Step::Done(mut finished) => {
                let elapsed = begin.elapsed();
                assert!(finished.output().unwrap() == input);
                return elapsed;
            }
            Step::SliceOver => (),
            // Until instances that were discarded have been dropped.
            Step::Waiting(_) => std::thread::yield_now(),
            Step::Parked(_) => panic!("echo asks for nothing"),
        }
    }
}

fn report(what: &str, mut times: [Vec<Duration>; 2]) {
    let [unfused, fused] = times.each_mut().map(|times| {
        times.sort();
        let micros = |at: usize| times[at].as_secs_f64() * 1e6;
        (micros(times.len() / 2), micros(0))
    });
    println!(
        "{what:32} median {:10.1} -> {:10.1} µs, {:5.2}  best {:10.1} -> {:10.1} µs, {:5.2}",
        unfused.0,
        fused.0,
        unfused.0 / fused.0,
        unfused.1,
        fused.1,
        unfused.1 / fused.1
    );
}

fn main() {
    let asked: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| !a.starts_with('-'))
        .collect();
    let guests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../test/guests/wasm");
    for guest in GUESTS.iter().map(ToString::to_string) {
        if !asked.is_empty() && !asked.contains(&guest) {
            continue;
        }
        let wasm = std::fs::read(guests.join(format!("{guest}.wasm"))).unwrap();
        let [mut elapsed, mut used] = [[Vec::new(), Vec::new()], [Vec::new(), Vec::new()]];
        for _ in 0..(COMPILED_BYTES / wasm.len()).clamp(5, 40) {
            for fuse in [false, true] {
                let times = compiled(&wasm, fuse).1;
                elapsed[usize::from(fuse)].push(times[0]);
                used[usize::from(fuse)].push(times[1]);
            }
        }
        report(&format!("{guest}: compile"), elapsed);
        report(&format!("{guest}: compile, processors"), used);
        let plugins = [false, true].map(|fuse| plugin(compiled(&wasm, fuse).0));
        for size in SIZES {
            let input: Vec<u8> = (0..size).map(|i| ((i * 31) >> 3) as u8).collect();
            let mut times = [Vec::new(), Vec::new()];
            for _ in 0..(100_000_000 / (size + 50_000)).clamp(5, 1000) {
                for (times, plugin) in times.iter_mut().zip(&plugins) {
                    times.push(echo(plugin, &input));
                }
            }
            report(&format!("{guest}: echo {size}"), times);
        }
    }
}
