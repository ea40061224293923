//! The code of a helper, which runs one bulk instruction in chunks.
//!
//! ```text
//! block
//!   if the length is at most a chunk, or an offset would wrap: leave the block
//!   if it copies forward:
//!     probe both ends, then copy chunks from the first on, until at most a chunk is left
//!   else:
//!     chunks from the last on, until at most a chunk is left
//! end
//! the instruction itself, for the rest
//! ```
//!
//! Bounds: the chunk that ends where the whole ends is in bounds exactly if the whole is. When the helper works from
//! the last chunk on, it executes that chunk first, which traps as the whole would have, with nothing written. An
//! offset that wraps is certainly out of bounds, and the whole instruction traps by itself. Only a copy to a lower
//! offset must begin at the front, because the ranges may overlap, so it probes both ends first. Two different memory
//! or table indices may name the same memory or table; that does not matter, because offsets alone decide the
//! direction.

use wasm_encoder::{BlockType, Function, ValType};

use super::helpers::Helper;
use super::instruction::Bulk;
use super::operand::{Operand, Role};

impl Helper {
    /// The function. Its parameters are the instruction's operands.
    pub(super) fn code(&self) -> Function {
        let mut code = Code {
            helper: self,
            length: self.operands.len().saturating_sub(1) as u32,
            function: Function::new([]),
        };
        code.all();
        code.function
    }

    /// The local, type and scale of each operand that is an offset. The destination comes first.
    fn offsets(&self) -> impl Iterator<Item = (u32, ValType, u32)> + '_ {
        (0_u32..)
            .zip(&self.operands)
            .filter_map(|(local, operand)| match *operand {
                Operand {
                    ty,
                    role: Role::Offset { scale },
                } => Some((local, ty, scale)),
                _ => None,
            })
    }

    /// The offsets of the destination and the source, for instructions whose operands can overlap.
    fn overlap(&self) -> Option<[(u32, ValType); 2]> {
        use Bulk::{ArrayCopy, MemoryCopy, TableCopy};
        if !matches!(
            self.bulk,
            MemoryCopy { .. } | TableCopy { .. } | ArrayCopy { .. }
        ) {
            return None;
        }
        let mut offsets = self.offsets().map(|(local, ty, _)| (local, ty));
        Some([offsets.next()?, offsets.next()?])
    }

    /// The distance from the end at which the whole is probed. A memory may end at 4 GiB, where an offset has wrapped
    /// to zero. An array cannot, and is probed at its end.
    pub(super) fn margin(&self) -> i64 {
        match self.bulk {
            Bulk::ArrayCopy { .. } => 0,
            _ => 1,
        }
    }
}

/// The distance of a chunk's offset from the offset of the whole.
#[derive(Clone, Copy)]
enum Beyond {
    Nothing,
    /// The distance is in the local that has the length.
    Length,
}

/// The code under construction.
pub(super) struct Code<'h> {
    pub(super) helper: &'h Helper,
    /// The local that has the length.
    pub(super) length: u32,
    pub(super) function: Function,
}

impl Code<'_> {
    fn all(&mut self) {
        let whole = 0;
        self.sink().block(BlockType::Empty);
        self.more_than_a_chunk();
        self.sink().i32_eqz().br_if(whole);
        for (local, ty, scale) in self.helper.offsets() {
            self.wraps(local, ty, scale);
            self.sink().br_if(whole);
        }
        if let Some([dst, src]) = self.helper.overlap() {
            self.is_forward(dst, src);
            self.sink().if_(BlockType::Empty);
            self.probe(dst, src);
            self.forward();
            self.sink().br(whole + 1).end();
        }
        self.backward();
        self.sink().end();
        self.instruction(Beyond::Nothing, None);
        self.sink().end();
    }

    /// Works from the first chunk on, and moves the offsets.
    fn forward(&mut self) {
        self.sink().loop_(BlockType::Empty);
        self.instruction(Beyond::Nothing, Some(self.helper.chunk));
        for (local, ty, _) in self.helper.offsets() {
            self.sink().local_get(local);
            self.constant(ty, self.helper.chunk.into());
            self.add(ty);
            self.sink().local_set(local);
        }
        self.shorten();
        self.more_than_a_chunk();
        self.sink().br_if(0).end();
    }

    /// Works from the last chunk on. The length that is left says where each chunk is.
    fn backward(&mut self) {
        self.sink().loop_(BlockType::Empty);
        self.shorten();
        self.instruction(Beyond::Length, Some(self.helper.chunk));
        self.more_than_a_chunk();
        self.sink().br_if(0).end();
    }

    /// Writes the bulk instruction, with a constant length or with the rest.
    fn instruction(&mut self, beyond: Beyond, length: Option<u32>) {
        let helper = self.helper;
        for (local, operand) in (0..).zip(&helper.operands) {
            match (operand.role, beyond, length) {
                (Role::Offset { scale }, Beyond::Length, _) => {
                    self.displaced(local, operand.ty, scale, 0);
                }
                (Role::Length, _, Some(length)) => self.constant(operand.ty, length.into()),
                _ => {
                    self.sink().local_get(local);
                }
            }
        }
        self.function.instruction(&helper.bulk.instruction());
    }

    /// Traps as the whole would if it is out of bounds, and writes nothing.
    fn probe(&mut self, dst: (u32, ValType), src: (u32, ValType)) {
        let itself = match self.helper.bulk {
            Bulk::MemoryCopy { dst, src } => {
                [dst, src].map(|mem| Bulk::MemoryCopy { dst: mem, src: mem })
            }
            Bulk::TableCopy { dst, src } => [dst, src].map(|table| Bulk::TableCopy {
                dst: table,
                src: table,
            }),
            // The source may be immutable, so an element cannot be copied onto itself.
            _ => return self.instruction(Beyond::Length, Some(0)),
        };
        // The last element is copied onto itself.
        for ((local, ty), bulk) in [dst, src].into_iter().zip(itself) {
            self.displaced(local, ty, 1, 1);
            self.displaced(local, ty, 1, 1);
            self.constant(ty, 1);
            self.function.instruction(&bulk.instruction());
        }
    }
}
