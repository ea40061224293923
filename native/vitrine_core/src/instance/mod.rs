//! A live instance: a store with a kernel and the modules of a linked plugin in it.
//!
//! This file has the instance and its calls. To follow how an instance is made, read `admission` (when and where it may
//! be made), `assemble` (its modules, in one store) and `initialise`; `command` has the modules that are instantiated
//! when they are called. To follow how a call ends, read `outcome`, with `backtrace`, `coredump` and `fuel`. `snapshot`
//! reads the state of an instance.

pub(crate) mod admission;
mod assemble;
mod backtrace;
pub(crate) mod command;
mod coredump;
mod fuel;
mod initialise;
mod outcome;
pub(crate) mod snapshot;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use vitrine_memory::mappings::Promised;
use wasmtime::{Instance as WasmInstance, Store, TypedFunc};

use self::fuel::Metered;
use crate::compile::exports::{Export, ExportKind};
use crate::error::Error;
use crate::host::HostContext;
use crate::host::kernel_memory as memory;
use crate::host::plugin_state::PluginState;
use crate::host::wasi;
use crate::instance::assemble::assemble;
use crate::instance::initialise::initialise;
use crate::link::LinkedPlugin;
use crate::link::store::StoreData;
use crate::schedule::clock;
use crate::schedule::reaper::Reaped;

/// An exported function, ready to be called.
#[derive(Clone)]
struct Callable {
    func: Typed,
    /// Whether the instance is not called again after it.
    ends: bool,
}

#[derive(Clone)]
enum Typed {
    Plain(TypedFunc<(), ()>),
    Code(TypedFunc<(), i32>),
}

impl Callable {
    fn find(
        store: &mut Store<StoreData>,
        instance: &WasmInstance,
        export: &Export,
    ) -> Option<Callable> {
        let func = instance
            .get_module_export(&mut *store, &export.at)?
            .into_func()?;
        let func = match export.kind {
            ExportKind::Plain => Typed::Plain(func.typed(&*store).ok()?),
            ExportKind::Code => Typed::Code(func.typed(&*store).ok()?),
            _ => return None,
        };
        Some(Callable {
            func,
            ends: export.is_start(),
        })
    }
}

/// A store with the instances of a plugin's modules. It serves one call at a time.
pub(crate) struct Instance {
    store: Metered,
    linked: Arc<LinkedPlugin>,
    instance: WasmInstance,
    /// The exported functions that were called, by the index of the export.
    callables: Vec<Option<Callable>>,
    /// The place of the last call's output in the kernel's memory.
    output: Range<usize>,
    /// How many pages at the start of the kernel's heap may be resident.
    touched: u32,
    /// The memory mappings of the fiber's stack, until the first call makes the stack.
    promised: Option<Promised>,
}

/// Makes an instance, and runs its start function and its initialisers. If that fails, the store is dropped.
pub(crate) async fn instantiate(
    linked: Arc<LinkedPlugin>,
    plugin: Arc<PluginState>,
) -> Result<Box<Instance>, Error> {
    // This may wait for a file system. It comes first, so that the call holds nothing that others wait for.
    let wasi = wasi::begin(&plugin).await?;
    admission::admit(&linked, &plugin).await;
    let promised = admission::take_mappings(&plugin.control, linked.mappings()).await?;
    let begin = clock::now();
    let mut store = new_store(&linked, &plugin, wasi);
    plugin.counters.instance();
    store.give(|limits| limits.initialisation);
    let made = make(&mut store, &linked).await;
    store.note(&made);
    let instance = match made {
        Ok(instance) => instance,
        Err(error) => return Err(fail(&mut store, &error).await),
    };
    let took = Duration::from_nanos(clock::now().saturating_sub(begin));
    linked.predictor.note(took);
    Ok(Box::new(Instance {
        callables: vec![None; linked.main().exports.len()],
        store,
        linked,
        instance,
        output: 0..0,
        touched: 0,
        promised: Some(promised),
    }))
}

async fn make(
    store: &mut Store<StoreData>,
    linked: &Arc<LinkedPlugin>,
) -> wasmtime::Result<WasmInstance> {
    let instance = assemble(store, linked).await?;
    if !linked.main().initialised {
        initialise(store, &instance).await?;
    }
    flush(store).await;
    Ok(instance)
}

/// The error that the embedder gets. What the guest printed is told, and its coredump is written, before that.
async fn fail(store: &mut Store<StoreData>, error: &wasmtime::Error) -> Error {
    flush(store).await;
    let plugin = store.data().host.plugin.clone();
    if let Some(path) = &plugin.coredump {
        coredump::write(store, error, path).await;
    }
    outcome::failure(store, error)
}

/// Passes on what the guest printed without a newline at the end.
async fn flush(store: &mut Store<StoreData>) {
    if let Some(wasi) = &store.data().host.wasi {
        for printer in wasi.printers.clone() {
            printer.flush().await;
        }
    }
}

fn new_store(
    linked: &LinkedPlugin,
    plugin: &Arc<PluginState>,
    wasi: Option<wasi::Context>,
) -> Metered {
    let host = HostContext::new(Arc::clone(plugin), linked.modules.len(), wasi);
    let mut store = Store::new(linked.base.engine, StoreData::new(host));
    store.limiter(|state| &mut state.host.limiter);
    store.epoch_deadline_callback(|context| context.data().host.control().on_epoch());
    store.set_epoch_deadline(1);
    Metered::new(Reaped::counted(store, linked.main().backlog.clone()))
}

impl Instance {
    /// Frees the blocks of the last call and sets the input of the next.
    pub(crate) fn begin_call(&mut self, input: &[u8]) -> Result<(), Error> {
        // A call that trapped within a command did not count down.
        self.store.data_mut().instances.depth = 0;
        memory::begin_call(&mut *self.store, input)
            .map_err(|e| outcome::failure(&mut self.store, &e))
    }

    /// Calls an exported function. Gives the result, and whether the function returned and the instance can be used again.
    pub(crate) async fn call(&mut self, export: usize) -> (Result<(), Error>, bool) {
        self.resolve(export);
        self.promised = None;
        self.store.give(|limits| limits.call);
        let Some(Some(callable)) = self.callables.get(export) else {
            // This does not happen: every index is one of an export.
            return (self.returned(-1), true);
        };
        let store = &mut *self.store;
        store.set_epoch_deadline(1);
        let returned = match &callable.func {
            Typed::Plain(f) => f.call_async(store, ()).await.map(|()| 0),
            Typed::Code(f) => f.call_async(store, ()).await,
        };
        let good = returned.is_ok() && !callable.ends;
        self.store.note(&returned);
        (self.ended(returned).await, good)
    }

    /// The result of a function that returned or stopped.
    async fn ended(&mut self, returned: wasmtime::Result<i32>) -> Result<(), Error> {
        match returned {
            Ok(code) => {
                flush(&mut self.store).await;
                self.returned(code)
            }
            Err(error) if outcome::is_success(&mut self.store, &error) => {
                flush(&mut self.store).await;
                self.returned(0)
            }
            // Boxed, so that the future of a call that succeeds stays small.
            Err(error) => Err(Box::pin(fail(&mut self.store, &error)).await),
        }
    }

    fn returned(&mut self, code: i32) -> Result<(), Error> {
        self.output = outcome::returned(&mut self.store, code)?;
        Ok(())
    }

    /// Finds the function of an export, the first time that it is called.
    fn resolve(&mut self, index: usize) {
        if let Some(place @ None) = self.callables.get_mut(index)
            && let Some(export) = self.linked.main().exports.at(index)
        {
            *place = Callable::find(&mut self.store, &self.instance, export);
        }
    }

    /// The store, and the instance of the main module in it.
    pub(crate) fn parts(&mut self) -> (&mut Store<StoreData>, &WasmInstance) {
        (&mut self.store, &self.instance)
    }

    /// Notes how much of the kernel's memory the last call used. Gives whether it was a large call.
    pub(crate) fn note_peak(&mut self) -> bool {
        let peak = memory::take_large_peak(&mut *self.store);
        self.touched = self.touched.max(peak);
        peak > 0
    }

    /// Decommits some pages of the kernel's memory. Gives whether more are left.
    pub(crate) fn trim(&mut self) -> bool {
        self.touched = memory::trim(&mut *self.store, self.touched);
        self.touched > 0
    }

    /// The output of the last call.
    pub(crate) fn output(&mut self) -> &[u8] {
        memory::bytes(&mut *self.store, self.output.clone())
    }
}
