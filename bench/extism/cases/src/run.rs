//! How a case is run on a host.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use anyhow::{Context, Result, ensure};

use crate::case::{Case, Work};
use crate::guest::{Guest, Module};
use crate::host::Host;
use crate::stopwatch::{Sample, Stopwatch};

/// A case that is ready: runs it so many times.
pub type Prepared<'a> = Box<dyn FnMut(u64) -> Result<Sample> + 'a>;

/// The guest that plugins are made of where it matters little: the one with a PDK, and with WASI, as
/// upstream has it.
const GUEST: Guest = Guest::Plugin;
const WASI: bool = true;

/// Plugins that are there at the same time, to be dropped one after the other.
const BATCH: u64 = 16;

/// Makes a case ready on a host, and sees that it does what it should.
pub fn on_host<'a, H: Host>(host: &'a H, case: &Case) -> Result<Prepared<'a>> {
    match &case.work {
        Work::Call { .. } => call(host, case.work),
        Work::Create {
            cached,
            plugin,
            call,
        } => create(host, *cached, *plugin, *call),
        Work::Plugin => {
            let compiled = compile(host)?;
            repeated(move || {
                host.plugin(&compiled)?;
                Ok(())
            })
        }
        Work::Instance => {
            let compiled = compile(host)?;
            repeated(move || {
                host.instance(&compiled)?;
                Ok(())
            })
        }
        Work::FirstCall => {
            let compiled = compile(host)?;
            repeated(move || small_call(host, &mut host.plugin(&compiled)?))
        }
        Work::Drop => drops(host),
    }
}

fn compile<H: Host>(host: &H) -> Result<H::Compiled> {
    host.compile(&[Module::main(GUEST.wasm()?)], WASI, false)
}

/// The two bytes that come back.
fn small_call<H: Host>(host: &H, plugin: &mut H::Plugin) -> Result<()> {
    let same = host.call(plugin, "echo", b"hi", |output| output == b"hi")?;
    ensure!(same, "the output is not the input");
    Ok(())
}

/// Something that is timed as a whole, once it has worked.
fn repeated<'a>(mut run: impl FnMut() -> Result<()> + 'a) -> Result<Prepared<'a>> {
    run()?;
    Ok(Box::new(move |runs| {
        let mut stopwatch = Stopwatch::default();
        stopwatch.time(|| (0..runs).try_for_each(|_| run()))?;
        Ok(stopwatch.sample())
    }))
}

fn call<H: Host>(host: &H, work: Work) -> Result<Prepared<'_>> {
    let Work::Call {
        guest,
        library,
        function,
        input,
        output,
    } = work
    else {
        anyhow::bail!("no call");
    };
    let mut modules = vec![Module::main(guest.wasm()?)];
    if let Some(library) = library {
        modules.insert(
            0,
            Module {
                name: "extism:host/user",
                wasm: library.wasm()?,
            },
        );
    }
    let (input, output) = (input.to_vec(), output.to_vec());
    let compiled = host.compile(&modules, guest == GUEST && WASI, false)?;
    let mut plugin = host.plugin(&compiled)?;
    let same = host.call(&mut plugin, function, &input, |found| found == output)?;
    ensure!(same, "the output of {function} is not what it should be");
    repeated(move || {
        let length = host.call(&mut plugin, function, black_box(&input), |found| {
            black_box(found).len()
        })?;
        ensure!(length == output.len(), "the output has {length} bytes");
        Ok(())
    })
}

fn create<H: Host>(host: &H, cached: bool, plugin: bool, call: bool) -> Result<Prepared<'_>> {
    let run = move |stopwatch: &mut Stopwatch| -> Result<()> {
        let module = Module::main(match cached {
            true => GUEST.wasm()?,
            false => GUEST.unique(next())?,
        });
        let compiled = stopwatch.time(|| -> Result<_> {
            let compiled = host.compile(std::slice::from_ref(&module), WASI, cached)?;
            if plugin {
                let mut plugin = host.plugin(&compiled)?;
                if call {
                    let input = [b'a'; 4096];
                    let count = host.call(&mut plugin, "count_vowels", &input, vowels)?;
                    let count = count.context("the output of count_vowels is not its JSON")?;
                    ensure!(count == 4096, "{count} vowels");
                }
            }
            Ok(compiled)
        })?;
        host.forget(compiled);
        Ok(())
    };
    run(&mut Stopwatch::default())?;
    Ok(Box::new(move |runs| {
        let mut stopwatch = Stopwatch::default();
        (0..runs).try_for_each(|_| run(&mut stopwatch))?;
        Ok(stopwatch.sample())
    }))
}

fn vowels(json: &[u8]) -> Option<u64> {
    let json: serde_json::Value = serde_json::from_slice(json).ok()?;
    json.get("count")?.as_u64()
}

/// Another number each time, in no matter which process.
fn next() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    u64::from(std::process::id()) << 32 | NEXT.fetch_add(1, Relaxed)
}

fn drops<H: Host>(host: &H) -> Result<Prepared<'_>> {
    let compiled = compile(host)?;
    Ok(Box::new(move |runs| {
        let mut stopwatch = Stopwatch::default();
        let mut left = runs;
        while left > 0 {
            let batch = left.min(BATCH);
            left -= batch;
            let mut plugins = Vec::new();
            for _ in 0..batch {
                let mut plugin = host.plugin(&compiled)?;
                small_call(host, &mut plugin)?;
                plugins.push(plugin);
            }
            stopwatch.time(|| drop(plugins));
        }
        Ok(stopwatch.sample())
    }))
}
