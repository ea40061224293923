//! A live instance: a store with a kernel and the plugin's module in it.

use std::sync::Arc;

use wasmtime::{Extern, Func, Instance as WasmInstance, Store, TypedFunc, Val};

use crate::compile::Compiled;
use crate::engine::engine;
use crate::error::Error;
use crate::exports::{Export, ExportKind};
use crate::kernel_memory as memory;
use crate::link::{Source, kernel};
use crate::outcome;
use crate::plugin::Shared;
use crate::reaper::Reaped;
use crate::state::HostState;

/// An exported function, ready to be called.
#[derive(Clone)]
enum Callable {
    Plain(TypedFunc<(), ()>),
    Code(TypedFunc<(), i32>),
    Other(Func),
}

impl Callable {
    fn find(
        store: &mut Store<HostState>,
        instance: &WasmInstance,
        export: &Export,
    ) -> Option<Callable> {
        let func = instance
            .get_module_export(&mut *store, &export.at)?
            .into_func()?;
        Some(match export.kind {
            ExportKind::Plain => Callable::Plain(func.typed(&*store).ok()?),
            ExportKind::Code => Callable::Code(func.typed(&*store).ok()?),
            _ => Callable::Other(func),
        })
    }
}

pub(crate) struct Instance {
    store: Reaped<Store<HostState>>,
    instance: WasmInstance,
    callables: Vec<Option<Callable>>,
}

/// Makes an instance and runs its start function and its initialisers. On failure nothing is left.
pub(crate) async fn instantiate(shared: Arc<Shared>) -> Result<Box<Instance>, Error> {
    let mut store = new_store(&shared)?;
    let instance = start(&mut store, &shared).await;
    let instance = instance.map_err(|e| outcome::failure(&mut store, &e))?;
    initialise(&mut store, &instance)
        .await
        .map_err(|e| outcome::failure(&mut store, &e))?;
    Ok(Box::new(Instance {
        callables: vec![None; shared.compiled.exports.len()],
        store,
        instance,
    }))
}

fn new_store(shared: &Arc<Shared>) -> Result<Reaped<Store<HostState>>, Error> {
    let mut store = Store::new(engine()?, HostState::new(shared.clone()));
    store.limiter(|state| &mut state.limiter);
    store.epoch_deadline_callback(|context| context.data().control().on_epoch());
    store.set_epoch_deadline(1);
    Ok(Reaped::new(store))
}

/// Instantiates the kernel, then the module with its imports from the kernel and the linker.
async fn start(
    store: &mut Store<HostState>,
    shared: &Arc<Shared>,
) -> wasmtime::Result<WasmInstance> {
    let kernel = kernel().map_err(wasmtime::Error::new)?;
    let kernel_instance = kernel.pre.instantiate_async(&mut *store).await?;
    let memory = kernel_instance.get_module_export(&mut *store, &kernel.memory);
    store.data_mut().kernel = memory.and_then(Extern::into_memory);

    let module = &shared.compiled.module;
    let mut imports = Vec::with_capacity(shared.links.sources.len());
    for (import, source) in module.imports().zip(&shared.links.sources) {
        let found = match source {
            Source::Kernel(export) => kernel_instance.get_module_export(&mut *store, export),
            Source::Linker => shared.links.linker.get_by_import(&mut *store, &import),
        };
        match found {
            Some(found) => imports.push(found),
            // Linking found them all when the plugin was made.
            None => wasmtime::bail!("unknown import: {}::{}", import.module(), import.name()),
        }
    }
    store.data_mut().limiter.begin();
    let instance = WasmInstance::new_async(&mut *store, module, &imports).await?;
    store.data_mut().limiter.refill();
    Ok(instance)
}

/// Starts the guest language's runtime: Haskell's, else constructors, else a reactor's own.
async fn initialise(store: &mut Store<HostState>, instance: &WasmInstance) -> wasmtime::Result<()> {
    let initialize = instance
        .get_typed_func::<(), ()>(&mut *store, "_initialize")
        .ok();
    if let Some(hs_init) = instance.get_func(&mut *store, "hs_init") {
        if let Some(initialize) = initialize {
            initialize.call_async(&mut *store, ()).await?;
        }
        let mut results = vec![Val::I32(0); hs_init.ty(&*store).results().len()];
        let args = [Val::I32(0), Val::I32(0)];
        return hs_init.call_async(&mut *store, &args, &mut results).await;
    }
    if instance
        .get_func(&mut *store, "__wasm_call_ctors")
        .is_some()
    {
        return match instance.get_typed_func::<(), ()>(&mut *store, "__wasm_call_ctors") {
            Ok(constructors) => constructors.call_async(&mut *store, ()).await,
            Err(_) => Ok(()),
        };
    }
    match initialize {
        Some(initialize) => initialize.call_async(&mut *store, ()).await,
        None => Ok(()),
    }
}

impl Instance {
    /// Forgets the blocks of the last call and sets the input of the next.
    pub(crate) fn begin_call(&mut self, input: &[u8]) -> Result<(), Error> {
        memory::begin_call(&mut *self.store, input)
            .map_err(|e| outcome::failure(&mut self.store, &e))
    }

    /// Calls an exported function: how that went, and whether the instance is as good as before.
    pub(crate) async fn call(
        &mut self,
        compiled: &Compiled,
        export: usize,
    ) -> (Result<(), Error>, bool) {
        self.resolve(compiled, export);
        let store = &mut *self.store;
        store.set_epoch_deadline(1);
        let returned = match self.callables.get(export) {
            Some(Some(Callable::Plain(f))) => f.call_async(store, ()).await.map(|()| 0),
            Some(Some(Callable::Code(f))) => f.call_async(store, ()).await,
            Some(Some(Callable::Other(f))) => {
                let mut results = [Val::I32(0)];
                f.call_async(store, &[], &mut results).await.map(|()| -1)
            }
            _ => Ok(-1),
        };
        let ended = compiled.exports.at(export).is_some_and(Export::is_start) || returned.is_err();
        (outcome::conclude(&mut self.store, returned), !ended)
    }

    /// Finds the function of an export, once.
    fn resolve(&mut self, compiled: &Compiled, index: usize) {
        if let (Some(place @ None), Some(export)) =
            (self.callables.get_mut(index), compiled.exports.at(index))
        {
            *place = Callable::find(&mut self.store, &self.instance, export);
        }
    }

    /// The output of the last call.
    pub(crate) fn output(&mut self) -> &[u8] {
        memory::output(&mut *self.store)
    }
}
