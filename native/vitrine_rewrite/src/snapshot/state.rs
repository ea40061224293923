//! The state of an instance, as it is put into a module.

use std::ops::Range;

use wasmparser::{Parser, Payload, TypeRef};

use crate::error::Error;

/// Memory is looked at in parts of this size, a WebAssembly page. The gaps within a segment are smaller.
const PAGE: usize = 65_536;

/// The state of an instance: its own memories and globals.
#[derive(Debug, Default, PartialEq)]
pub struct State {
    /// The state of each memory.
    pub memories: Vec<MemoryState>,
    /// The value of each global; `None` for globals that cannot change.
    pub globals: Vec<Option<Constant>>,
}

/// The state of a memory.
#[derive(Debug, Default, PartialEq)]
pub struct MemoryState {
    /// The memory's index in the module.
    pub index: u32,
    /// Whether its addresses have 64 bits.
    pub is_64: bool,
    /// Its size in pages.
    pub pages: u64,
    /// The bytes that are not zero, by offset.
    pub segments: Vec<(u64, Vec<u8>)>,
}

/// The value of a global. Floats are kept bit by bit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Constant {
    /// An `i32`.
    I32(i32),
    /// An `i64`.
    I64(i64),
    /// The bits of an `f32`.
    F32(u32),
    /// The bits of an `f64`.
    F64(u64),
    /// A vector.
    V128(u128),
    /// A null reference. The global's type tells which one.
    Null,
}

/// A module's own memories and globals, by their indices.
pub struct Own {
    /// The index of each memory, and whether its addresses have 64 bits.
    pub memories: Vec<(u32, bool)>,
    /// The index of each global, and whether it is mutable.
    pub globals: Vec<(u32, bool)>,
}

impl Own {
    /// The own memories and globals of a valid module.
    ///
    /// # Errors
    ///
    /// Returns an error if the module is malformed.
    pub fn of(wasm: &[u8]) -> Result<Own, Error> {
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

/// The ranges of a memory that are not zero: one for each run of pages that have any such byte, from the first such
/// byte to the last. There are at most half as many ranges as pages.
pub fn ranges(memory: &[u8]) -> Vec<Range<usize>> {
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

/// The positions of the first byte that is not zero, and of the last.
fn used(bytes: &[u8]) -> Option<(usize, usize)> {
    // Most of a memory is zero, and this loop sees that quickly.
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
    fn only_bytes_that_are_not_zero_are_kept_page_by_page() {
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
