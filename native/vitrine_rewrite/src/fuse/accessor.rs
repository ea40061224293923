//! The functions of the kernel that are replaced.

use wasm_encoder::ValType;
use wasmparser::FuncType;

use crate::names::{ENV, canonical};

/// A function of the kernel that moves bytes, or tells how many there are to move. `length` and `alloc` are not
/// accessors: they are called once for a block, not once for eight bytes, and inlining them would save nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Accessor {
    LoadU8,
    LoadU64,
    StoreU8,
    StoreU64,
    InputLength,
    InputLoadU8,
    InputLoadU64,
}

impl Accessor {
    /// The accessor that an import names.
    pub(super) fn of(namespace: &str, name: &str) -> Option<Accessor> {
        Some(match canonical(namespace, name) {
            (ENV, "load_u8") => Accessor::LoadU8,
            (ENV, "load_u64") => Accessor::LoadU64,
            (ENV, "store_u8") => Accessor::StoreU8,
            (ENV, "store_u64") => Accessor::StoreU64,
            (ENV, "input_length") => Accessor::InputLength,
            (ENV, "input_load_u8") => Accessor::InputLoadU8,
            (ENV, "input_load_u64") => Accessor::InputLoadU64,
            _ => return None,
        })
    }

    /// Returns true if the kernel's function has this type. An import of another type is left to the linker, which
    /// refuses it.
    pub(super) fn is_of(self, ty: &FuncType) -> bool {
        let (params, results) = self.signature();
        let are = |found: &[wasmparser::ValType], wanted: &[ValType]| {
            let found = found.iter().map(|ty| ValType::try_from(*ty).ok());
            found.eq(wanted.iter().map(|ty| Some(*ty)))
        };
        are(ty.params(), params) && are(ty.results(), results)
    }

    /// The types of the parameters and the results.
    pub(super) fn signature(self) -> (&'static [ValType], &'static [ValType]) {
        use ValType::{I32, I64};
        match self {
            Accessor::LoadU8 | Accessor::InputLoadU8 => (&[I64], &[I32]),
            Accessor::LoadU64 | Accessor::InputLoadU64 => (&[I64], &[I64]),
            Accessor::StoreU8 => (&[I64, I32], &[]),
            Accessor::StoreU64 => (&[I64, I64], &[]),
            Accessor::InputLength => (&[], &[I64]),
        }
    }
}
