//! The instances of a plugin's modules in one store, and what their imports become there.

use vitrine_kernel::layout::HEAP_PAGE;
use vitrine_memory::{lacks_memory, with_images};
use wasmtime::{AsContextMut, Caller, Extern, Instance, Memory, MemoryType, Ref, Store};

use crate::admission::take_mappings;
use crate::command::CommandInstance;
use crate::error::Error;
use crate::initialise::run_initialize;
use crate::link::{LinkedModule, Links, Source, unlinkable};
use crate::plugin::Shared;
use crate::state::HostState;
use crate::text;

/// The instances in a store. Each place in the vectors is that of a module in [`Links`].
#[derive(Default)]
pub(crate) struct World {
    kernel: Option<Instance>,
    trampolines: Option<Instance>,
    /// In which fused modules find nothing.
    blank: Option<Memory>,
    /// Those of commands are never set.
    modules: Vec<Option<Instance>>,
    /// Instances of commands that no call uses now.
    pub(crate) commands: Vec<Vec<CommandInstance>>,
    /// How many calls of commands there are within each other.
    pub(crate) depth: usize,
}

/// Instantiates the kernel, then the modules in their order. Gives the main one, not initialised.
pub(crate) async fn assemble(
    store: &mut Store<HostState>,
    shared: &Shared,
) -> wasmtime::Result<Instance> {
    let links = &shared.links;
    let kernel = &links.platform.kernel;
    let instance = kernel.pre.instantiate_async(&mut *store).await?;
    let memory = instance.get_module_export(&mut *store, &kernel.memory);
    let state = store.data_mut();
    state.kernel = memory.and_then(Extern::into_memory);
    state.world.kernel = Some(instance);
    state.world.modules = vec![None; links.modules.len()];
    state
        .world
        .commands
        .resize_with(links.modules.len(), Vec::new);
    if let Some(trampolines) = &links.trampolines {
        let instance = Instance::new_async(&mut *store, &trampolines.module, &[]).await?;
        store.data_mut().world.trampolines = Some(instance);
    }
    if links.has_blank_memory {
        let ty = MemoryType::new(HEAP_PAGE, None);
        store.data_mut().world.blank = Some(Memory::new_async(&mut *store, ty).await?);
    }
    store.data_mut().limiter.begin();
    let mut main = None;
    // In a circle of imports nobody is initialised before everybody is there.
    let (mut missing, mut waiting) = (stand_ins(links), Vec::new());
    for (place, module) in links.modules.iter().enumerate() {
        if module.compiled.command {
            continue;
        }
        let instance = instantiate(&mut *store, links, module).await?;
        store.data_mut().world.modules[place] = Some(instance);
        missing -= fill(store, links, module, &instance)?;
        if place == links.main {
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
    store.data_mut().limiter.refill();
    main.ok_or_else(|| wasmtime::format_err!("the main module is a library"))
}

fn stand_ins(links: &Links) -> usize {
    links.modules.iter().map(|m| m.stands_for.len()).sum()
}

/// Instantiates one module with the imports that [`Links`] found for it.
pub(crate) async fn instantiate(
    mut store: impl AsContextMut<Data = HostState>,
    links: &Links,
    module: &LinkedModule,
) -> wasmtime::Result<Instance> {
    let compiled = &module.compiled;
    let make = async {
        match &module.pre {
            Some(pre) => pre.instantiate_async(&mut store).await,
            None => {
                let imports = imports(&mut store, links, module)?;
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
    store: &mut impl AsContextMut<Data = HostState>,
    links: &Links,
    module: &LinkedModule,
) -> wasmtime::Result<Vec<Extern>> {
    let mut imports = Vec::with_capacity(module.sources.len());
    for (import, source) in module.compiled.module.imports().zip(&module.sources) {
        match resolve(store, links, source) {
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

/// Whether an error of instantiation is one of code that ran, or of a limit, ours or the system's.
fn ran(error: &wasmtime::Error) -> bool {
    error.is::<wasmtime::Trap>()
        || error.is::<wasmtime::WasmBacktrace>()
        || error.is::<crate::error::Stop>()
        || error.is::<wasmtime_wasi::I32Exit>()
        || lacks_memory(error)
}

fn mismatch(error: &wasmtime::Error, module: &LinkedModule) -> Error {
    unlinkable(format!(
        "the module {} cannot be instantiated: {error:#}{}",
        text::quoted(&module.name),
        module.way
    ))
}

fn resolve(
    store: &mut impl AsContextMut<Data = HostState>,
    links: &Links,
    source: &Source,
) -> Option<Extern> {
    let mut store = store.as_context_mut();
    let world = &store.data().world;
    match source {
        Source::Linker { namespace, name } => links.linker.get(&mut store, namespace, name).ok(),
        Source::Blank => world.blank.map(Extern::Memory),
        Source::Kernel(export) => world.kernel?.get_module_export(&mut store, export),
        Source::Module { module, export } => {
            let instance = (*world.modules.get(*module)?)?;
            instance.get_module_export(&mut store, export)
        }
        Source::Trampoline(slot) => {
            let instance = world.trampolines?;
            let export = links.trampolines.as_ref()?.functions.get(*slot)?;
            instance.get_module_export(&mut store, export)
        }
    }
}

/// Puts a module's functions where trampolines jump to; how many they were.
fn fill(
    store: &mut Store<HostState>,
    links: &Links,
    module: &LinkedModule,
    instance: &Instance,
) -> wasmtime::Result<usize> {
    let (Some(trampolines), Some(table)) = (&links.trampolines, store.data().world.trampolines)
    else {
        return Ok(0);
    };
    let table = table.get_module_export(&mut *store, &trampolines.table);
    let Some(table) = table.and_then(Extern::into_table) else {
        wasmtime::bail!("the trampolines lack their table");
    };
    for (slot, export) in &module.stands_for {
        let function = instance.get_module_export(&mut *store, export);
        let function = function.and_then(Extern::into_func);
        table.set(&mut *store, *slot, Ref::Func(function))?;
    }
    Ok(module.stands_for.len())
}

/// An instance for a call of a command from within the guest.
pub(crate) async fn instantiate_command(
    caller: &mut Caller<'_, HostState>,
    module: usize,
) -> wasmtime::Result<Instance> {
    let shared = caller.data().shared.clone();
    let Some(linked) = shared.links.modules.get(module) else {
        wasmtime::bail!("there is no module {module}");
    };
    take_mappings(&shared.control, linked.compiled.mappings()).await?;
    instantiate(&mut *caller, &shared.links, linked).await
}
