//! The module that is fused.

use anyhow::{Result, ensure};
use wasmparser::{Encoding, FuncType, FunctionBody, Import, MemoryType, Parser, Payload, TypeRef};

use super::accessor::Accessor;
use crate::survey::{Section, Survey};

/// The number of memories that every engine accepts.
const MAX_MEMORIES: usize = 100;

/// A module that imports accessors and has room for one more memory.
pub(super) struct Target<'a> {
    survey: Survey<'a>,
    /// The accessor that each imported function is.
    imported: Vec<Option<Accessor>>,
}

impl<'a> Target<'a> {
    /// A valid module, if it imports an accessor and has room for one more memory.
    pub(super) fn of(wasm: &'a [u8]) -> Result<Option<Self>> {
        // Most modules need not be looked at any further.
        if !names_accessor(wasm)? {
            return Ok(None);
        }
        let survey = Survey::of(wasm)?;
        let accessors = survey.imports.iter();
        let imported = accessors.filter_map(|import| accessor(import, &survey));
        let imported: Vec<_> = imported.collect();
        let fits = survey.memories.len() < MAX_MEMORIES;
        let any = imported.iter().any(Option::is_some);
        Ok((fits && any).then_some(Target { survey, imported }))
    }

    pub(super) fn sections(&self) -> &[Section<'a>] {
        &self.survey.sections
    }

    pub(super) fn bodies(&self) -> &[FunctionBody<'a>] {
        &self.survey.bodies
    }

    /// The accessor that the function at an index is, if it is one.
    pub(super) fn accessor(&self, function: u32) -> Option<Accessor> {
        *self.imported.get(function as usize)?
    }

    /// Returns true if the encoding of the index of an accessor begins with this byte. The byte is the whole index or
    /// its lowest bits.
    pub(super) fn accessor_begins_with(&self, byte: u8) -> bool {
        let (low, more) = (usize::from(byte & 0x7F), byte & 0x80 != 0);
        let indices = self.imported.iter().skip(low).step_by(0x80);
        let mut indices = indices.take(if more { usize::MAX } else { 1 });
        indices.any(Option::is_some)
    }

    /// The index that the kernel's memory gets: after the imported memories, before the others.
    pub(super) fn kernel_memory(&self) -> u32 {
        self.survey.imported_memories
    }

    /// Returns true if the module has memories of its own. Their indices shift.
    pub(super) fn has_own_memory(&self) -> bool {
        self.survey.memories.len() > self.survey.imported_memories as usize
    }

    pub(super) fn memory(&self, index: u32) -> Option<&MemoryType> {
        self.survey.memory(index).ok()
    }

    /// The type of the function that has the nth body.
    pub(super) fn function_type(&self, nth: usize) -> Result<&FuncType> {
        self.survey.type_of_body(nth)
    }

    /// The number of imported functions.
    pub(super) fn imported(&self) -> usize {
        self.imported.len()
    }

    /// The number of functions.
    pub(super) fn functions(&self) -> usize {
        self.survey.function_count()
    }

    /// The number of types.
    pub(super) fn types(&self) -> usize {
        self.survey.types.len()
    }
}

/// Returns true if an import of the module has the name of an accessor.
fn names_accessor(wasm: &[u8]) -> Result<bool> {
    for payload in Parser::new(0).parse_all(wasm) {
        match payload? {
            Payload::Version { encoding, .. } => {
                ensure!(encoding == Encoding::Module, "a component is not a module")
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import?;
                    if Accessor::of(import.module, import.name).is_some() {
                        return Ok(true);
                    }
                }
                return Ok(false);
            }
            _ => (),
        }
    }
    Ok(false)
}

/// The accessor that an imported function is, if it is one; `None` for other imports.
fn accessor(import: &Import<'_>, survey: &Survey<'_>) -> Option<Option<Accessor>> {
    let (TypeRef::Func(ty) | TypeRef::FuncExact(ty)) = import.ty else {
        return None;
    };
    let ty = survey.function(ty).ok();
    let accessor = Accessor::of(import.module, import.name);
    Some(accessor.filter(|accessor| ty.is_some_and(|ty| accessor.is_of(ty))))
}
