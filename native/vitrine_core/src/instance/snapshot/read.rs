//! Reads the memories and globals of an instance.

use std::ops::Range;

use vitrine_rewrite::snapshot::{Constant, MemoryState, Own, State, ranges};
use vitrine_rewrite::state_exports;
use wasmtime::{Instance, Store, Val};

use crate::compile::binary::no_snapshot;
use crate::compile::options::MAX_MODULE_SIZE;
use crate::error::{Error, Reason};
use crate::link::store::StoreData;

/// Reads the state of an instance of the module `wasm`, which must have been compiled with its state exported.
pub(crate) fn read(
    wasm: &[u8],
    store: &mut Store<StoreData>,
    instance: &Instance,
    memory_limit: u64,
) -> Result<State, Error> {
    let own = Own::of(wasm).map_err(no_snapshot)?;
    let mut state = State::default();
    let (mut size, mut used) = (0, wasm.len());
    for (index, is_64) in own.memories {
        let memory = instance.get_memory(&mut *store, &state_exports::memory(index));
        let memory = memory.ok_or_else(|| lost("memory", index))?;
        let bytes = memory.data(&*store);
        size += bytes.len() as u64;
        let ranges = ranges(bytes);
        used += ranges.iter().map(Range::len).sum::<usize>();
        if used > MAX_MODULE_SIZE {
            return Err(no_snapshot(format!(
                "with what its memory holds it would have more than {MAX_MODULE_SIZE} bytes, which is the limit of a module"
            )));
        }
        let segments = ranges.into_iter();
        let segments = segments.map(|range| (range.start as u64, bytes[range].to_vec()));
        state.memories.push(MemoryState {
            index,
            is_64,
            pages: memory.size(&*store),
            segments: segments.collect(),
        });
    }
    // Instances of the snapshot begin with all of it, and all of it counts against their limit.
    if size > memory_limit {
        return Err(Error::new(
            Reason::OutOfMemory,
            format!(
                "the initialised plugin has {size} bytes of memory; the limit is {memory_limit} bytes (memory: \
                 %{{max_pages: {}}})",
                memory_limit >> 16
            ),
        ));
    }
    for (index, mutable) in own.globals {
        let value = match mutable {
            false => None,
            true => {
                let global = instance.get_global(&mut *store, &state_exports::global(index));
                let global = global.ok_or_else(|| lost("global", index))?;
                Some(constant(index, global.get(&mut *store))?)
            }
        };
        state.globals.push(value);
    }
    Ok(state)
}

fn lost(kind: &str, index: u32) -> Error {
    no_snapshot(format!("its {kind} {index} cannot be read"))
}

fn constant(index: u32, value: Val) -> Result<Constant, Error> {
    Ok(match value {
        Val::I32(value) => Constant::I32(value),
        Val::I64(value) => Constant::I64(value),
        Val::F32(bits) => Constant::F32(bits),
        Val::F64(bits) => Constant::F64(bits),
        Val::V128(value) => Constant::V128(value.as_u128()),
        Val::FuncRef(None) | Val::ExternRef(None) | Val::AnyRef(None) | Val::ExnRef(None) => {
            Constant::Null
        }
        _ => {
            return Err(no_snapshot(format!(
                "its global {index} is a reference, and references are not kept"
            )));
        }
    })
}
