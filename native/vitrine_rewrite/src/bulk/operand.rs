//! The operands of a bulk instruction.

use anyhow::Result;
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{HeapType, RefType, ValType};

use super::instruction::Bulk;
use super::reach::element_size;
use crate::survey::Survey;

/// The purpose of an operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The operand is the same for every chunk: a value, or an array.
    Same,
    /// The operand is the offset at which the instruction begins. It moves by `scale` for each element.
    Offset { scale: u32 },
    /// The operand is the number of elements. It is always the last operand.
    Length,
}

/// One operand of a bulk instruction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operand {
    pub(super) ty: ValType,
    pub(super) role: Role,
}

impl Bulk {
    /// The operands, first to last.
    pub(super) fn operands(self, survey: &Survey<'_>) -> Result<Vec<Operand>> {
        let memory = |index| survey.memory(index).map(|ty| index_type(ty.memory64));
        let table = |index| survey.table(index).map(|ty| index_type(ty.table64));
        Ok(match self {
            Bulk::MemoryFill { mem } => fill(memory(mem)?, ValType::I32),
            Bulk::MemoryCopy { dst, src } => transfer(memory(dst)?, memory(src)?),
            Bulk::MemoryInit { mem, .. } => transfer(memory(mem)?, ValType::I32),
            Bulk::TableFill { table: filled } => {
                let value = survey.table(filled)?.element_type;
                fill(table(filled)?, RoundtripReencoder.ref_type(value)?.into())
            }
            Bulk::TableCopy { dst, src } => transfer(table(dst)?, table(src)?),
            Bulk::TableInit { table: filled, .. } => transfer(table(filled)?, ValType::I32),
            Bulk::ArrayFill { ty } => {
                let value = survey.array(ty)?.element_type.unpack();
                let mut operands = fill(ValType::I32, RoundtripReencoder.val_type(value)?);
                operands.insert(0, reference(ty));
                operands
            }
            Bulk::ArrayCopy { dst, src } => vec![
                reference(dst),
                offset(ValType::I32, 1),
                reference(src),
                offset(ValType::I32, 1),
                length(ValType::I32),
            ],
            Bulk::ArrayInitData { ty, .. } => init(ty, element_size(&survey.array(ty)?)?),
            Bulk::ArrayInitElem { ty, .. } => init(ty, 1),
        })
    }
}

fn offset(ty: ValType, scale: u32) -> Operand {
    Operand {
        ty,
        role: Role::Offset { scale },
    }
}

fn length(ty: ValType) -> Operand {
    Operand {
        ty,
        role: Role::Length,
    }
}

fn same(ty: ValType) -> Operand {
    Operand {
        ty,
        role: Role::Same,
    }
}

fn reference(ty: u32) -> Operand {
    same(ValType::Ref(RefType {
        nullable: true,
        heap_type: HeapType::Concrete(ty),
    }))
}

fn fill(index: ValType, value: ValType) -> Vec<Operand> {
    vec![offset(index, 1), same(value), length(index)]
}

/// The operands of a copy or an initialisation. The length has the smaller of the two index types.
fn transfer(dst: ValType, src: ValType) -> Vec<Operand> {
    let smaller = if dst == src { dst } else { ValType::I32 };
    vec![offset(dst, 1), offset(src, 1), length(smaller)]
}

fn init(array: u32, scale: u32) -> Vec<Operand> {
    let (dst, src) = (offset(ValType::I32, 1), offset(ValType::I32, scale));
    vec![reference(array), dst, src, length(ValType::I32)]
}

fn index_type(is_64: bool) -> ValType {
    if is_64 { ValType::I64 } else { ValType::I32 }
}
