//! The greatest length of a bulk instruction.

use anyhow::{Result, bail};
use wasmparser::{FieldType, MemoryType, StorageType};

use super::instruction::Bulk;
use crate::survey::Survey;

impl Bulk {
    /// Returns true if the unit is a byte of a memory, not an element of a table or an array.
    pub(super) fn is_bytes(self) -> bool {
        use Bulk::{MemoryCopy, MemoryFill, MemoryInit};
        matches!(
            self,
            MemoryFill { .. } | MemoryCopy { .. } | MemoryInit { .. }
        )
    }

    /// A length beyond which the instruction certainly traps. Many modules have only small segments and tables, and
    /// need no helper for them.
    pub(super) fn longest(self, survey: &Survey<'_>) -> Result<u64> {
        let memory = |index| survey.memory(index).map(most_bytes);
        let table = |index| survey.table(index).map(|ty| ty.maximum.unwrap_or(u64::MAX));
        Ok(match self {
            Bulk::MemoryFill { mem } => memory(mem)?,
            Bulk::MemoryCopy { dst, src } => memory(dst)?.min(memory(src)?),
            Bulk::MemoryInit { mem, data } => memory(mem)?.min(survey.data(data)?),
            Bulk::TableFill { table: index } => table(index)?,
            Bulk::TableCopy { dst, src } => table(dst)?.min(table(src)?),
            Bulk::TableInit { table: index, elem } => table(index)?.min(survey.elements(elem)?),
            Bulk::ArrayFill { .. } | Bulk::ArrayCopy { .. } => u64::MAX,
            Bulk::ArrayInitData { ty, data } => {
                survey.data(data)? / u64::from(element_size(&survey.array(ty)?)?)
            }
            Bulk::ArrayInitElem { elem, .. } => survey.elements(elem)?,
        })
    }
}

fn most_bytes(ty: &MemoryType) -> u64 {
    let page = 1_u64
        .checked_shl(ty.page_size_log2.unwrap_or(16))
        .unwrap_or(u64::MAX);
    ty.maximum
        .map_or(u64::MAX, |pages| pages.saturating_mul(page))
}

/// The number of bytes of a segment that an element takes.
pub(super) fn element_size(field: &FieldType) -> Result<u32> {
    use wasmparser::ValType::{F32, F64, I32, I64, Ref, V128};
    Ok(match field.element_type {
        StorageType::I8 => 1,
        StorageType::I16 => 2,
        StorageType::Val(I32 | F32) => 4,
        StorageType::Val(I64 | F64) => 8,
        StorageType::Val(V128) => 16,
        StorageType::Val(Ref(_)) => bail!("an array of references has no data"),
    })
}
