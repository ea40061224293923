//! The bulk instructions.

use wasm_encoder::Instruction;
use wasmparser::Operator;

/// A bulk instruction with its immediates. A copy names the destination first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Bulk {
    MemoryFill { mem: u32 },
    MemoryCopy { dst: u32, src: u32 },
    MemoryInit { mem: u32, data: u32 },
    TableFill { table: u32 },
    TableCopy { dst: u32, src: u32 },
    TableInit { table: u32, elem: u32 },
    ArrayFill { ty: u32 },
    ArrayCopy { dst: u32, src: u32 },
    ArrayInitData { ty: u32, data: u32 },
    ArrayInitElem { ty: u32, elem: u32 },
}

impl Bulk {
    /// The bulk instruction that an operator is, if it is one.
    pub(super) fn of(operator: &Operator<'_>) -> Option<Bulk> {
        Some(match *operator {
            Operator::MemoryFill { mem } => Bulk::MemoryFill { mem },
            Operator::MemoryCopy {
                dst_mem: dst,
                src_mem: src,
            } => Bulk::MemoryCopy { dst, src },
            Operator::MemoryInit {
                data_index: data,
                mem,
            } => Bulk::MemoryInit { mem, data },
            Operator::TableFill { table } => Bulk::TableFill { table },
            Operator::TableCopy {
                dst_table: dst,
                src_table: src,
            } => Bulk::TableCopy { dst, src },
            Operator::TableInit {
                elem_index: elem,
                table,
            } => Bulk::TableInit { table, elem },
            Operator::ArrayFill {
                array_type_index: ty,
            } => Bulk::ArrayFill { ty },
            Operator::ArrayCopy {
                array_type_index_dst: dst,
                array_type_index_src: src,
            } => Bulk::ArrayCopy { dst, src },
            Operator::ArrayInitData {
                array_type_index: ty,
                array_data_index: data,
            } => Bulk::ArrayInitData { ty, data },
            Operator::ArrayInitElem {
                array_type_index: ty,
                array_elem_index: elem,
            } => Bulk::ArrayInitElem { ty, elem },
            _ => return None,
        })
    }

    pub(super) fn instruction(self) -> Instruction<'static> {
        match self {
            Bulk::MemoryFill { mem } => Instruction::MemoryFill(mem),
            Bulk::MemoryCopy { dst, src } => Instruction::MemoryCopy {
                src_mem: src,
                dst_mem: dst,
            },
            Bulk::MemoryInit { mem, data } => Instruction::MemoryInit {
                mem,
                data_index: data,
            },
            Bulk::TableFill { table } => Instruction::TableFill(table),
            Bulk::TableCopy { dst, src } => Instruction::TableCopy {
                src_table: src,
                dst_table: dst,
            },
            Bulk::TableInit { table, elem } => Instruction::TableInit {
                elem_index: elem,
                table,
            },
            Bulk::ArrayFill { ty } => Instruction::ArrayFill(ty),
            Bulk::ArrayCopy { dst, src } => Instruction::ArrayCopy {
                array_type_index_dst: dst,
                array_type_index_src: src,
            },
            Bulk::ArrayInitData { ty, data } => Instruction::ArrayInitData {
                array_type_index: ty,
                array_data_index: data,
            },
            Bulk::ArrayInitElem { ty, elem } => Instruction::ArrayInitElem {
                array_type_index: ty,
                array_elem_index: elem,
            },
        }
    }

    /// The name of the helper.
    pub(super) fn name(self) -> &'static str {
        match self {
            Bulk::MemoryFill { .. } => "vitrine.memory.fill",
            Bulk::MemoryCopy { .. } => "vitrine.memory.copy",
            Bulk::MemoryInit { .. } => "vitrine.memory.init",
            Bulk::TableFill { .. } => "vitrine.table.fill",
            Bulk::TableCopy { .. } => "vitrine.table.copy",
            Bulk::TableInit { .. } => "vitrine.table.init",
            Bulk::ArrayFill { .. } => "vitrine.array.fill",
            Bulk::ArrayCopy { .. } => "vitrine.array.copy",
            Bulk::ArrayInitData { .. } => "vitrine.array.init_data",
            Bulk::ArrayInitElem { .. } => "vitrine.array.init_elem",
        }
    }
}
