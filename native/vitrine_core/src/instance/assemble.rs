//! Assembles a plugin in a store: makes the instances of its modules, and resolves their imports there.

use std::sync::Arc;

use vitrine_kernel::layout::HEAP_PAGE;
use vitrine_memory::{lacks_memory, with_images};
use wasmtime::{AsContextMut, Caller, Extern, Instance, Memory, MemoryType, Ref, Store};

use super::admission::take_mappings;
use crate::error::Error;
use crate::instance::initialise::run_initialize;
use crate::link::store::StoreData;
use crate::link::{LinkedModule, LinkedPlugin, Source, unlinkable};
use crate::text;

/// Instantiates the kernel, then the modules in their order. Gives the instance of the main module, which is not yet
/// initialised.
pub(crate) async fn assemble(
    store: &mut Store<StoreData>,
    linked: &Arc<LinkedPlugin>,
) -> wasmtime::Result<Instance> {
    let kernel = &linked.base.kernel;
    let instance = kernel.pre.instantiate_async(&mut *store).await?;
    let memory = instance.get_module_export(&mut *store, &kernel.memory);
    let state = store.data_mut();
    state.host.kernel = memory.and_then(Extern::into_memory);
    state.instances.linked = Some(Arc::clone(linked));
    state.instances.kernel = Some(instance);
    state.instances.modules = vec![None; linked.modules.len()];
    state
        .instances
        .commands
        .resize_with(linked.modules.len(), Vec::new);
    if let Some(trampolines) = &linked.trampolines {
        let instance = Instance::new_async(&mut *store, &trampolines.module, &[]).await?;
        store.data_mut().instances.trampolines = Some(instance);
    }
    if linked.has_blank_memory {
        let ty = MemoryType::new(HEAP_PAGE, None);
        store.data_mut().instances.blank = Some(Memory::new_async(&mut *store, ty).await?);
    }
    store.data_mut().host.limiter.begin();
    let mut main = None;
    // In a circle of imports, no module is initialised before all of them are instantiated.
    let (mut missing, mut waiting) = (targets(linked), Vec::new());
    for (place, module) in linked.modules.iter().enumerate() {
        if module.compiled.command {
            continue;
        }
        let instance = instantiate(&mut *store, linked, module).await?;
        store.data_mut().instances.modules[place] = Some(instance);
        missing -= fill(store, linked, module, &instance)?;
        if place == linked.main {
            main = Some(instance);
        } else {
            waiting.push(instance);
        }
        if missing == 0 {
            for library in waiting.drain(..) {
                run_initialize(store, &library).await?;
            }
        }
    }
    store.data_mut().host.limiter.refill();
    main.ok_or_else(|| wasmtime::format_err!("the main module is a library"))
}

/// How many functions trampolines call.
fn targets(linked: &LinkedPlugin) -> usize {
    let modules = linked.modules.iter();
    modules.map(|m| m.trampoline_targets.len()).sum()
}

/// Instantiates one module with the sources that linking found for its imports.
pub(crate) async fn instantiate(
    mut store: impl AsContextMut<Data = StoreData>,
    linked: &LinkedPlugin,
    module: &LinkedModule,
) -> wasmtime::Result<Instance> {
    let compiled = &module.compiled;
    let make = async {
        match &module.pre {
            Some(pre) => pre.instantiate_async(&mut store).await,
            None => {
                let imports = imports(&mut store, linked, module)?;
                Instance::new_async(&mut store, &compiled.module, &imports).await
            }
        }
    };
    let made = with_images(&compiled.images, make).await;
    made.map_err(|e| {
        if ran(&e) {
            e
        } else {
            wasmtime::Error::new(mismatch(&e, module))
        }
    })
}

fn imports(
    store: &mut impl AsContextMut<Data = StoreData>,
    linked: &LinkedPlugin,
    module: &LinkedModule,
) -> wasmtime::Result<Vec<Extern>> {
    let mut imports = Vec::with_capacity(module.sources.len());
    for (import, source) in module.compiled.module.imports().zip(&module.sources) {
        match resolve(store, linked, source) {
            Some(found) => imports.push(found),
            None => {
                let (namespace, name) = (import.module(), import.name());
                let why = format!(
                    "the import {} is unknown{}",
                    text::import(namespace, name),
                    module.way
                );
                return Err(wasmtime::Error::new(unlinkable(why)));
            }
        }
    }
    Ok(imports)
}

/// Whether an error of instantiation comes from code that ran, or from a limit of the plugin or of the system. Any
/// other is an error of linking.
fn ran(error: &wasmtime::Error) -> bool {
    error.is::<wasmtime::Trap>()
        || error.is::<wasmtime::WasmBacktrace>()
        || error.is::<crate::error::Stop>()
        || error.is::<wasmtime_wasi::I32Exit>()
        // The initialisers of globals, tables and elements make objects, too.
        || error.is::<wasmtime::GcHeapOutOfMemory<()>>()
        || lacks_memory(error)
}

fn mismatch(error: &wasmtime::Error, module: &LinkedModule) -> Error {
    unlinkable(format!(
        "the module {} cannot be instantiated: {error:#}{}",
        text::quoted(&module.name),
        module.way
    ))
}

/// Finds the item that an import is given, in the store.
fn resolve(
    store: &mut impl AsContextMut<Data = StoreData>,
    linked: &LinkedPlugin,
    source: &Source,
) -> Option<Extern> {
    let mut store = store.as_context_mut();
    let instances = &store.data().instances;
    match source {
        Source::Linker { namespace, name } | Source::Command { namespace, name } => {
            linked.linker.get(&mut store, namespace, name).ok()
        }
        Source::Blank => instances.blank.map(Extern::Memory),
        Source::Kernel(export) => instances.kernel?.get_module_export(&mut store, export),
        Source::Module { module, export } => {
            let instance = (*instances.modules.get(*module)?)?;
            instance.get_module_export(&mut store, export)
        }
        Source::Trampoline(slot) => {
            let instance = instances.trampolines?;
            let export = linked.trampolines.as_ref()?.functions.get(*slot)?;
            instance.get_module_export(&mut store, export)
        }
    }
}

/// Puts the functions of a module into the table of the trampolines that call them. Gives their count.
fn fill(
    store: &mut Store<StoreData>,
    linked: &LinkedPlugin,
    module: &LinkedModule,
    instance: &Instance,
) -> wasmtime::Result<usize> {
    let (Some(trampolines), Some(table)) =
        (&linked.trampolines, store.data().instances.trampolines)
    else {
        return Ok(0);
    };
    let table = table.get_module_export(&mut *store, &trampolines.table);
    let Some(table) = table.and_then(Extern::into_table) else {
        wasmtime::bail!("the trampolines lack their table");
    };
    for (slot, export) in &module.trampoline_targets {
        let function = instance.get_module_export(&mut *store, export);
        let function = function.and_then(Extern::into_func);
        table.set(&mut *store, *slot, Ref::Func(function))?;
    }
    Ok(module.trampoline_targets.len())
}

/// Makes an instance for a call of a command from within the guest.
pub(crate) async fn instantiate_command(
    caller: &mut Caller<'_, StoreData>,
    module: usize,
) -> wasmtime::Result<Instance> {
    let linked = caller.data().instances.linked.clone();
    let Some(linked) = linked else {
        wasmtime::bail!("the store has no instance of a plugin");
    };
    let Some(command) = linked.modules.get(module) else {
        wasmtime::bail!("there is no module {module}");
    };
    let plugin = caller.data().host.plugin.clone();
    take_mappings(&plugin.control, command.compiled.mappings()).await?;
    instantiate(&mut *caller, &linked, command).await
}
