//! Commands as libraries: each call of one of their functions finds the module as it was at first.
//! Wasmtime never frees an instance while its store lives, so they are used again, after their
//! state was put back; see [`vitrine_rewrite::command`].

use vitrine_rewrite::state_exports::{START, is_state};
use wasmtime::{
    Caller, Extern, ExternType, Func, Global, Instance, Memory, Ref, Result, Table, Val,
};

use crate::clock;
use crate::control::LARGE;
use crate::error::Stop;
use crate::state::HostState;
use crate::world::instantiate_command;

/// Calls of commands within each other: each has a stack of its own.
const MAX_DEPTH: usize = 16;

/// A memory is kept without the parts of this size that are all zero.
const CHUNK: usize = 4096;

/// Elements of tables that are too many to be put back on a normal scheduler: each takes some tens of
/// nanoseconds.
const MANY: usize = 4096;

/// An instance that can be put back to its beginning.
pub(crate) struct CommandInstance {
    instance: Instance,
    start: Option<Func>,
    memories: Vec<(Memory, MemoryImage)>,
    globals: Vec<(Global, Val)>,
    tables: Vec<(Table, Vec<Ref>)>,
}

/// Calls a function of the command at this place of the plugin's modules.
pub(crate) async fn call(
    mut caller: Caller<'_, HostState>,
    module: usize,
    function: &str,
    params: &[Val],
    results: &mut [Val],
) -> Result<()> {
    let world = &mut caller.data_mut().world;
    if world.depth == MAX_DEPTH {
        let why = format!("more than {MAX_DEPTH} calls of commands within each other");
        return Err(Stop::Abi(why).into());
    }
    let ready = world.commands[module].pop();
    world.depth += 1;
    let instance = match ready {
        Some(mut used) => {
            used.put_back(&mut caller).await?;
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
    // After an error the whole store is given up, or the next call makes another instance.
    let world = &mut caller.data_mut().world;
    world.depth -= 1;
    world.commands[module].push(instance);
    Ok(())
}

impl CommandInstance {
    async fn new(caller: &mut Caller<'_, HostState>, module: usize) -> Result<CommandInstance> {
        let shared = caller.data().shared.clone();
        // Nobody knows yet how large it is.
        shared.control.on_dirty().await;
        let instance = instantiate_command(caller, module).await?;
        let mut made = CommandInstance {
            start: instance.get_func(&mut *caller, START),
            instance,
            memories: Vec::new(),
            globals: Vec::new(),
            tables: Vec::new(),
        };
        let exports = shared.links.modules[module].compiled.module.exports();
        for export in exports.filter(|export| is_state(export.name())) {
            let name = export.name();
            match export.ty() {
                ExternType::Memory(_) => {
                    if let Some(memory) = instance.get_memory(&mut *caller, name) {
                        let image = MemoryImage::of(memory.data(&*caller));
                        shared.control.check(clock::now())?;
                        made.memories.push((memory, image));
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
                        shared.control.check(clock::now())?;
                        made.tables.push((table, elements));
                    }
                }
                _ => (),
            }
        }
        Ok(made)
    }

    /// Makes the instance what it was when it was new. Only a memory that has grown stays as large, what is past
    /// its first end is zero, and the guest grows into it: see [`vitrine_rewrite::command`].
    async fn put_back(&mut self, caller: &mut Caller<'_, HostState>) -> Result<()> {
        let shared = caller.data().shared.clone();
        let memories = self.memories.iter();
        let bytes: usize = memories.map(|(m, _)| m.data_size(&*caller)).sum();
        let elements: usize = self.tables.iter().map(|(_, first)| first.len()).sum();
        if bytes > 4 * LARGE || elements > MANY {
            shared.control.on_dirty().await;
        }
        for (memory, image) in &self.memories {
            image.put_back(memory.data_mut(&mut *caller));
            shared.control.check(clock::now())?;
        }
        for (global, value) in &self.globals {
            global.set(&mut *caller, *value)?;
        }
        for (table, elements) in &self.tables {
            for (index, element) in (0..).zip(elements) {
                table.set(&mut *caller, index, element.clone())?;
            }
            shared.control.check(clock::now())?;
        }
        Ok(())
    }
}

/// The first content of a memory.
struct MemoryImage(Vec<(usize, Box<[u8]>)>);

impl MemoryImage {
    fn of(bytes: &[u8]) -> MemoryImage {
        let chunks = bytes.chunks(CHUNK).enumerate();
        let used = chunks.filter(|(_, chunk)| chunk.iter().any(|byte| *byte != 0));
        MemoryImage(used.map(|(at, chunk)| (at * CHUNK, chunk.into())).collect())
    }

    fn put_back(&self, bytes: &mut [u8]) {
        bytes.fill(0);
        for (at, chunk) in &self.0 {
            if let Some(place) = bytes.get_mut(*at..at + chunk.len()) {
                place.copy_from_slice(chunk);
            }
        }
    }
}

/// A value that can be kept while the guest runs: none of the garbage-collected heap's.
fn fixed(value: Val) -> Result<Val> {
    match value {
        Val::ExternRef(Some(_)) | Val::AnyRef(Some(_)) | Val::ExnRef(Some(_)) => {
            Err(Stop::Abi("a command library begins with references to objects".into()).into())
        }
        value => Ok(value),
    }
}

fn elements(caller: &mut Caller<'_, HostState>, table: &Table) -> Result<Vec<Ref>> {
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
