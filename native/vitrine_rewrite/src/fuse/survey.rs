//! What a module declares, as far as fusing is concerned.

use anyhow::{Context, Result, bail, ensure};
use wasmparser::{
    CompositeInnerType, FuncType, FunctionBody, MemoryType, Parser, Payload, TypeRef,
};

use super::accessor::Accessor;

/// As many memories as every engine accepts.
const MAX_MEMORIES: usize = 100;

#[derive(Default)]
pub(super) struct Survey<'a> {
    /// The function types; `None` for others.
    types: Vec<Option<FuncType>>,
    /// For each imported function, which accessor it is.
    imported: Vec<Option<Accessor>>,
    /// The types of the functions that have a body.
    functions: Vec<u32>,
    memories: Vec<MemoryType>,
    imported_memories: u32,
    pub(super) bodies: Vec<FunctionBody<'a>>,
}

impl<'a> Survey<'a> {
    /// The declarations of a valid module, if it imports an accessor and can have a memory more.
    pub(super) fn of(wasm: &'a [u8]) -> Result<Option<Self>> {
        let mut survey = Survey::default();
        for payload in Parser::new(0).parse_all(wasm) {
            let payload = payload?;
            let imports = matches!(payload, Payload::ImportSection(_));
            survey.note(payload)?;
            if imports && survey.imported.iter().all(Option::is_none) {
                return Ok(None);
            }
        }
        let fits = survey.memories.len() < MAX_MEMORIES;
        Ok((fits && !survey.imported.is_empty()).then_some(survey))
    }

    /// The accessor that is the function at an index.
    pub(super) fn accessor(&self, function: u32) -> Option<Accessor> {
        *self.imported.get(function as usize)?
    }

    /// Whether the index of an accessor is encoded with this byte first: all of it, or its lowest bits.
    pub(super) fn accessor_begins_with(&self, byte: u8) -> bool {
        let (low, more) = (usize::from(byte & 0x7F), byte & 0x80 != 0);
        let indices = self.imported.iter().skip(low).step_by(0x80);
        let mut indices = indices.take(if more { usize::MAX } else { 1 });
        indices.any(Option::is_some)
    }

    /// The index that the kernel's memory gets: after the imported memories, before the others.
    pub(super) fn kernel_memory(&self) -> u32 {
        self.imported_memories
    }

    /// Whether the module has memories of its own, whose indices shift.
    pub(super) fn has_own_memory(&self) -> bool {
        self.memories.len() > self.imported_memories as usize
    }

    pub(super) fn memory(&self, index: u32) -> Option<&MemoryType> {
        self.memories.get(index as usize)
    }

    /// The type of the function whose body is at `index`.
    pub(super) fn function_type(&self, index: usize) -> Result<&FuncType> {
        let ty = self.functions.get(index);
        let ty = *ty.context("a body without a function")?;
        match self.types.get(ty as usize) {
            Some(Some(ty)) => Ok(ty),
            _ => bail!("type {ty} is no function type"),
        }
    }

    /// How many functions are imported.
    pub(super) fn imported(&self) -> usize {
        self.imported.len()
    }

    /// How many functions there are.
    pub(super) fn functions(&self) -> usize {
        self.imported.len() + self.functions.len()
    }

    /// How many types there are.
    pub(super) fn types(&self) -> usize {
        self.types.len()
    }

    fn note(&mut self, payload: Payload<'a>) -> Result<()> {
        match payload {
            Payload::Version { encoding, .. } => ensure!(
                encoding == wasmparser::Encoding::Module,
                "a component is no module"
            ),
            Payload::TypeSection(section) => {
                for group in section {
                    let types = group?.into_types();
                    self.types
                        .extend(types.map(|ty| match ty.composite_type.inner {
                            CompositeInnerType::Func(ty) => Some(ty),
                            _ => None,
                        }));
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import?;
                    match import.ty {
                        TypeRef::Func(ty) | TypeRef::FuncExact(ty) => {
                            let ty = self.types.get(ty as usize).and_then(Option::as_ref);
                            let accessor = Accessor::of(import.module, import.name);
                            let fits =
                                |accessor: &Accessor| ty.is_some_and(|ty| accessor.is_of(ty));
                            self.imported.push(accessor.filter(fits));
                        }
                        TypeRef::Memory(ty) => {
                            self.memories.push(ty);
                            self.imported_memories += 1;
                        }
                        _ => (),
                    }
                }
            }
            Payload::FunctionSection(section) => {
                self.functions = section.into_iter().collect::<Result<_, _>>()?;
            }
            Payload::MemorySection(section) => {
                for memory in section {
                    self.memories.push(memory?);
                }
            }
            Payload::CodeSectionEntry(body) => self.bodies.push(body),
            _ => (),
        }
        Ok(())
    }
}
