//! Commands as libraries. Each call of one of their functions finds the module in its initial state. Wasmtime does not
//! free an instance while its store lives, so instances are reset and used again: see [`vitrine_rewrite::command`].

use vitrine_rewrite::state_exports::{START, is_state};
use wasmtime::{Caller, Extern, ExternType, Ref, Result, Table, Val};

use std::sync::Arc;

use crate::error::{Error, Stop};
use crate::host::function::HostFunction;
use crate::host::protocol::LARGE;
use crate::instance::assemble::instantiate_command;
use crate::link::store::{CommandInstance, FirstBytes, StoreData};
use crate::link::{LinkedPlugin, Modules, link};
use crate::schedule::clock;

/// How deep calls of commands may be nested. Each of them has a stack of its own.
const MAX_DEPTH: usize = 16;

/// The initial content of a memory is stored in chunks of this size. Chunks that are all zero are left out.
const CHUNK: usize = 4096;

/// More elements of tables than this are reset on a dirty scheduler: each takes some tens of nanoseconds.
const MANY: usize = 4096;

impl LinkedPlugin {
    /// Links modules. Functions of the module at `main` are called. The modules may import the host functions, and WASI
    /// if `has_wasi` is set.
    ///
    /// # Errors
    ///
    /// If an import is not found, or has another type.
    ///
    /// # Panics
    ///
    /// If there is no module at `main`.
    pub fn new(
        modules: &Modules,
        main: usize,
        host_functions: &[HostFunction],
        has_wasi: bool,
    ) -> std::result::Result<Arc<LinkedPlugin>, Error> {
        link(
            modules,
            main,
            host_functions,
            has_wasi,
            |caller, module, function, params, results| {
                Box::new(async move { call(caller, module, &function, params, results).await })
            },
        )
        .map(Arc::new)
    }
}

/// Calls a function of the command at this place of the plugin's modules.
async fn call(
    mut caller: Caller<'_, StoreData>,
    module: usize,
    function: &str,
    params: &[Val],
    results: &mut [Val],
) -> Result<()> {
    let instances = &mut caller.data_mut().instances;
    if instances.depth == MAX_DEPTH {
        let why = format!("more than {MAX_DEPTH} calls of commands within each other");
        return Err(Stop::Abi(why).into());
    }
    let ready = instances.commands[module].pop();
    instances.depth += 1;
    let instance = match ready {
        Some(mut used) => {
            used.reset(&mut caller).await?;
            used
        }
        None => CommandInstance::new(&mut caller, module).await?,
    };
    if let Some(start) = instance.start {
        start.call_async(&mut caller, &[], &mut []).await?;
    }
    let function = instance.instance.get_func(&mut caller, function);
    let Some(function) = function else {
        wasmtime::bail!("the command lacks a function that it exports");
    };
    function.call_async(&mut caller, params, results).await?;
    // After an error the instance is not used again. Either the whole store is dropped, or the next call makes a new
    // instance.
    let instances = &mut caller.data_mut().instances;
    instances.depth -= 1;
    instances.commands[module].push(instance);
    Ok(())
}

impl CommandInstance {
    async fn new(caller: &mut Caller<'_, StoreData>, module: usize) -> Result<CommandInstance> {
        let plugin = caller.data().host.plugin.clone();
        // Its size is not known yet.
        plugin.control.on_dirty().await;
        let instance = instantiate_command(caller, module).await?;
        let mut made = CommandInstance {
            start: instance.get_func(&mut *caller, START),
            instance,
            memories: Vec::new(),
            globals: Vec::new(),
            tables: Vec::new(),
        };
        let linked = caller.data().instances.linked.clone();
        let module = linked
            .as_ref()
            .and_then(|linked| linked.modules.get(module));
        let exports = module
            .iter()
            .flat_map(|module| module.compiled.module.exports());
        for export in exports.filter(|export| is_state(export.name())) {
            let name = export.name();
            match export.ty() {
                ExternType::Memory(_) => {
                    if let Some(memory) = instance.get_memory(&mut *caller, name) {
                        let first = FirstBytes::of(memory.data(&*caller));
                        plugin.control.check(clock::now())?;
                        made.memories.push((memory, first));
                    }
                }
                ExternType::Global(_) => {
                    if let Some(global) = instance.get_global(&mut *caller, name) {
                        let value = fixed(global.get(&mut *caller))?;
                        made.globals.push((global, value));
                    }
                }
                ExternType::Table(_) => {
                    if let Some(Extern::Table(table)) = instance.get_export(&mut *caller, name) {
                        let elements = elements(caller, &table)?;
                        plugin.control.check(clock::now())?;
                        made.tables.push((table, elements));
                    }
                }
                _ => (),
            }
        }
        Ok(made)
    }

    /// Resets the instance to its initial state. Only a memory that has grown keeps its size: what is past its initial
    /// end is zero, and the guest grows into it. See [`vitrine_rewrite::command`].
    async fn reset(&mut self, caller: &mut Caller<'_, StoreData>) -> Result<()> {
        let plugin = caller.data().host.plugin.clone();
        let memories = self.memories.iter();
        let bytes: usize = memories.map(|(m, _)| m.data_size(&*caller)).sum();
        let elements: usize = self.tables.iter().map(|(_, first)| first.len()).sum();
        if bytes > 4 * LARGE || elements > MANY {
            plugin.control.on_dirty().await;
        }
        for (memory, first) in &self.memories {
            first.write_to(memory.data_mut(&mut *caller));
            plugin.control.check(clock::now())?;
        }
        for (global, value) in &self.globals {
            global.set(&mut *caller, *value)?;
        }
        for (table, elements) in &self.tables {
            for (index, element) in (0..).zip(elements) {
                table.set(&mut *caller, index, element.clone())?;
            }
            // A table cannot shrink. What the last call added to it is taken away.
            let (first, now) = (elements.len() as u64, table.size(&*caller));
            if now > first && table.ty(&*caller).element().is_nullable() {
                let null = Ref::null(table.ty(&*caller).element().heap_type());
                table.fill(&mut *caller, first, null, now - first)?;
            }
            plugin.control.check(clock::now())?;
        }
        Ok(())
    }
}

impl FirstBytes {
    fn of(bytes: &[u8]) -> FirstBytes {
        let chunks = bytes.chunks(CHUNK).enumerate();
        let used = chunks.filter(|(_, chunk)| chunk.iter().any(|byte| *byte != 0));
        FirstBytes(used.map(|(at, chunk)| (at * CHUNK, chunk.into())).collect())
    }

    fn write_to(&self, bytes: &mut [u8]) {
        bytes.fill(0);
        for (at, chunk) in &self.0 {
            if let Some(place) = bytes.get_mut(*at..at + chunk.len()) {
                place.copy_from_slice(chunk);
            }
        }
    }
}

/// Checks that a value can be kept while the guest runs. References to objects on the garbage-collected heap cannot.
fn fixed(value: Val) -> Result<Val> {
    match value {
        Val::ExternRef(Some(_)) | Val::AnyRef(Some(_)) | Val::ExnRef(Some(_)) => Err(Stop::Abi(
            "a command library begins with references to garbage-collected objects".into(),
        )
        .into()),
        value => Ok(value),
    }
}

/// The elements of a table.
fn elements(caller: &mut Caller<'_, StoreData>, table: &Table) -> Result<Vec<Ref>> {
    let mut elements = Vec::new();
    for index in 0..table.size(&*caller) {
        let Some(element) = table.get(&mut *caller, index) else {
            break;
        };
        if !element.is_null() && element.as_func().is_none() {
            fixed(Val::from(element.clone()))?;
        }
        elements.push(element);
    }
    Ok(elements)
}
