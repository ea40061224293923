//! The state of an instance, read.

use std::ops::Range;

use wasmparser::{Parser, Payload, TypeRef};
use wasmtime::{Instance, Store, Val};

use super::refused;
use crate::compile::MAX_MODULE_SIZE;
use crate::error::{Error, Reason};
use crate::state::HostState;
use crate::state_exports;

/// Memory is looked at in parts of this size, WebAssembly's page: the gaps in a segment are smaller.
const PAGE: usize = 65_536;

/// What an instance's own memories and globals are.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Image {
    /// One for each memory.
    pub(super) memories: Vec<MemoryImage>,
    /// One for each global; none for those that cannot change.
    pub(super) globals: Vec<Option<Constant>>,
}

#[derive(Debug, Default, PartialEq)]
pub(super) struct MemoryImage {
    pub(super) index: u32,
    pub(super) is_64: bool,
    pub(super) pages: u64,
    /// What is not zero, by offset.
    pub(super) segments: Vec<(u64, Vec<u8>)>,
}

/// The value of a global; floats are kept bit by bit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Constant {
    I32(i32),
    I64(i64),
    F32(u32),
    F64(u64),
    V128(u128),
    /// A reference to nothing: the type says to nothing of what.
    Null,
}

impl Image {
    /// Reads an instance of the module `wasm`, which was compiled with its state exported.
    pub(super) fn read(
        wasm: &[u8],
        store: &mut Store<HostState>,
        instance: &Instance,
        memory_limit: u64,
    ) -> Result<Image, Error> {
        let own = Own::of(wasm).map_err(|e| refused(format!("{e:#}")))?;
        let mut image = Image::default();
        let (mut size, mut used) = (0, wasm.len());
        for (index, is_64) in own.memories {
            let memory = instance.get_memory(&mut *store, &state_exports::memory(index));
            let memory = memory.ok_or_else(|| lost("memory", index))?;
            let bytes = memory.data(&*store);
            size += bytes.len() as u64;
            let ranges = ranges(bytes);
            used += ranges.iter().map(Range::len).sum::<usize>();
            if used > MAX_MODULE_SIZE {
                return Err(refused(format!(
                    "with what its memory holds it would have more than {MAX_MODULE_SIZE} bytes, which is the limit of a module"
                )));
            }
            let segments = ranges.into_iter();
            let segments = segments.map(|range| (range.start as u64, bytes[range].to_vec()));
            image.memories.push(MemoryImage {
                index,
                is_64,
                pages: memory.size(&*store),
                segments: segments.collect(),
            });
        }
        // An instance begins with all of it, which counts against the limit at once.
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
            image.globals.push(value);
        }
        Ok(image)
    }
}

fn lost(kind: &str, index: u32) -> Error {
    refused(format!("its {kind} {index} cannot be read"))
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
            return Err(refused(format!(
                "its global {index} is a reference, and references are not kept"
            )));
        }
    })
}

/// A module's own memories and globals, by their indices.
struct Own {
    /// Whether each is of 64 bits.
    memories: Vec<(u32, bool)>,
    /// Whether each is mutable.
    globals: Vec<(u32, bool)>,
}

impl Own {
    fn of(wasm: &[u8]) -> anyhow::Result<Own> {
        let (mut imported_memories, mut imported_globals) = (0, 0);
        let (mut memories, mut globals) = (Vec::new(), Vec::new());
        for payload in Parser::new(0).parse_all(wasm) {
            match payload? {
                Payload::ImportSection(imports) => {
                    for import in imports.into_imports() {
                        match import?.ty {
                            TypeRef::Memory(_) => imported_memories += 1,
                            TypeRef::Global(_) => imported_globals += 1,
                            _ => (),
                        }
                    }
                }
                Payload::MemorySection(section) => {
                    for (index, memory) in (imported_memories..).zip(section) {
                        memories.push((index, memory?.memory64));
                    }
                }
                Payload::GlobalSection(section) => {
                    for (index, global) in (imported_globals..).zip(section) {
                        globals.push((index, global?.ty.mutable));
                    }
                }
                _ => (),
            }
        }
        Ok(Own { memories, globals })
    }
}

/// Where a memory is not zero: from the first byte that is not to the last, in each run of pages that
/// have any. There are at most half as many as pages.
fn ranges(memory: &[u8]) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    let mut last_page = None;
    for (page, bytes) in memory.chunks(PAGE).enumerate() {
        let Some((first, last)) = used(bytes) else {
            continue;
        };
        let (start, end) = (page * PAGE + first, page * PAGE + last + 1);
        match ranges.last_mut() {
            Some(range) if page > 0 && last_page == Some(page - 1) => range.end = end,
            _ => ranges.push(start..end),
        }
        last_page = Some(page);
    }
    ranges
}

/// The places of the first byte that is not zero, and of the last.
fn used(bytes: &[u8]) -> Option<(usize, usize)> {
    // Most of a memory is zero, and is quickly seen to be.
    if bytes.iter().fold(0, |all, byte| all | byte) == 0 {
        return None;
    }
    let first = bytes.iter().position(|byte| *byte != 0)?;
    let last = bytes.iter().rposition(|byte| *byte != 0)?;
    Some((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(memory: &[u8]) -> Vec<(usize, usize)> {
        let ranges = ranges(memory).into_iter();
        ranges.map(|range| (range.start, range.end)).collect()
    }

    #[test]
    fn only_what_is_not_zero_is_kept_page_by_page() {
        assert_eq!(kept(&[]), []);
        assert_eq!(kept(&[0; 2 * PAGE]), []);
        let mut memory = vec![0; 5 * PAGE];
        memory[PAGE + 1] = 1;
        assert_eq!(kept(&memory), [(PAGE + 1, PAGE + 2)]);
        // Zeros within a page, and between pages that touch each other.
        memory[2 * PAGE + 9] = 1;
        memory[5 * PAGE - 1] = 1;
        let last = (5 * PAGE - 1, 5 * PAGE);
        assert_eq!(kept(&memory), [(PAGE + 1, 2 * PAGE + 10), last]);
        memory[0] = 1;
        assert_eq!(kept(&memory), [(0, 2 * PAGE + 10), last]);
        assert_eq!(kept(&[7; PAGE + 3]), [(0, PAGE + 3)]);
    }

    #[test]
    fn a_hostile_pattern_makes_no_more_ranges_than_half_the_pages() {
        let mut memory = vec![0; 64 * PAGE];
        memory.iter_mut().step_by(6).for_each(|byte| *byte = 1);
        assert_eq!(ranges(&memory).len(), 1);
        memory
            .chunks_mut(PAGE)
            .skip(1)
            .step_by(2)
            .for_each(|page| page.fill(0));
        assert_eq!(ranges(&memory).len(), 32);
    }
}
