//! Vitrine's core as a host.

use std::sync::mpsc::channel;
use std::sync::{Arc, Weak};
use std::thread::yield_now;

use anyhow::{Context, Result, bail};
use cases::{Host, Module};
use tempfile::{TempDir, tempdir};
use vitrine_core::{
    Cache, Call, CallOptions, CompileOptions, CompiledModule, Finished, HostFunction, LOG_OFF,
    LinkedPlugin, Plugin, PluginOptions, Reply, Request, Scheduler, Step, Value, ValueType, Wasi,
    compile,
};

const OPTIONS: CallOptions = CallOptions {
    timeout: None,
    log_level: LOG_OFF,
};

/// The index of `tick` among the [`functions`].
const TICK: usize = 1;

fn functions() -> [HostFunction; 2] {
    let function = |name: &str, signature| HostFunction {
        namespace: "extism:host/user".into(),
        name: name.into(),
        signature,
    };
    [
        function("host_reflect", None),
        function("tick", Some((vec![ValueType::I64], vec![ValueType::I64]))),
    ]
}

pub struct Vitrine {
    cache: Cache,
    /// Deleted in the end.
    _directory: TempDir,
}

/// Compiled modules, linked.
pub struct Linked {
    links: Arc<LinkedPlugin>,
    compiled: Vec<Weak<CompiledModule>>,
    wasi: bool,
}

impl Vitrine {
    pub fn new() -> Result<Vitrine> {
        let directory = tempdir()?;
        let cache = Cache {
            directory: directory.path().join("native"),
            max_bytes: 1 << 30,
        };
        match cache.fault() {
            Some(fault) => bail!("the cache cannot be used: {fault}"),
            None => Ok(Vitrine {
                cache,
                _directory: directory,
            }),
        }
    }
}

impl Host for Vitrine {
    type Compiled = Linked;
    type Plugin = Arc<Plugin>;

    fn compile(&self, modules: &[Module], wasi: bool, cache: bool) -> Result<Linked> {
        let cache = cache.then(|| self.cache.clone());
        let mut compiled = Vec::new();
        for module in modules {
            let (done, outcome) = channel();
            compile(
                module.wasm.to_vec(),
                CompileOptions::default(),
                cache.clone(),
                move |outcome| drop(done.send(outcome)),
            );
            compiled.push((module.name.to_owned(), outcome.recv()??.0));
        }
        let main = modules.iter().position(|module| module.name == "main");
        let main = main.context("there is no main module")?;
        Ok(Linked {
            links: LinkedPlugin::new(&compiled, main, &functions(), wasi)?,
            compiled: compiled.iter().map(|(_, c)| Arc::downgrade(c)).collect(),
            wasi,
        })
    }

    /// A plugin is bound to what it is granted. Its first call makes the instance.
    fn plugin(&self, linked: &Linked) -> Result<Arc<Plugin>> {
        let options = PluginOptions {
            max_var_bytes: 1 << 20,
            wasi: linked.wasi.then(Wasi::default),
            ..PluginOptions::default()
        };
        Ok(Plugin::new(linked.links.clone(), options)?)
    }

    fn instance(&self, linked: &Linked) -> Result<Arc<Plugin>> {
        let plugin = self.plugin(linked)?;
        let mut made = finish(plugin.initialise(OPTIONS)?)?;
        made.output().map_err(|error| error.clone())?;
        Ok(plugin)
    }

    fn call<R>(
        &self,
        plugin: &mut Arc<Plugin>,
        function: &str,
        input: &[u8],
        look: impl FnOnce(&[u8]) -> R,
    ) -> Result<R> {
        let mut finished = finish(plugin.start(function, input, OPTIONS)?)?;
        let output = finished.output().map_err(|error| error.clone())?;
        Ok(look(output))
    }

    /// A compiled module is found again as long as anything holds it, and the last holder may be the
    /// thread that drops values that are expensive to drop.
    fn forget(&self, linked: Linked) {
        drop(linked.links);
        while linked
            .compiled
            .iter()
            .any(|compiled| compiled.strong_count() > 0)
        {
            yield_now();
        }
    }
}

/// Drives a call to its end, as the NIF does from the BEAM.
fn finish(mut call: Call) -> Result<Finished> {
    let (mut scheduler, mut reply) = (Scheduler::Normal, None);
    loop {
        let step = call.resume(scheduler, reply.take());
        scheduler = call.next_scheduler();
        match step {
            Step::Done(finished) => return Ok(finished),
            Step::SliceOver => scheduler = Scheduler::Dirty,
            Step::Parked(request) => reply = Some(answer(request)?),
            // Until instances that were lost have been dropped.
            Step::Waiting(_) => yield_now(),
        }
    }
}

fn answer(request: Request) -> Result<Reply> {
    match request {
        Request::HostFunction { index, args, .. } if index == TICK => match args[..] {
            [Value::I64(number)] => Ok(Reply::Values(vec![Value::I64(number + 1)])),
            _ => bail!("tick takes a number, not {args:?}"),
        },
        Request::HostFunction { args, .. } => Ok(Reply::Values(args)),
        request => bail!("unexpected: {request:?}"),
    }
}
