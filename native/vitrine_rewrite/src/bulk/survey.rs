//! What a module declares, as far as bulk instructions are concerned.

use anyhow::{Context, Result, bail};
use wasmparser::{
    CompositeInnerType, Data, Element, ElementItems, FieldType, FunctionBody, MemoryType, Parser,
    Payload, TableType, TypeRef,
};

/// A type of the module.
#[derive(Clone, Copy)]
pub(super) enum Type {
    /// A function with so many parameters.
    Func {
        params: u32,
    },
    Array(FieldType),
    Other,
}

/// A section as it is: its id and its contents.
pub(super) struct Section<'a> {
    pub(super) id: u8,
    pub(super) contents: &'a [u8],
}

/// The declarations of a module.
#[derive(Default)]
pub(super) struct Survey<'a> {
    pub(super) sections: Vec<Section<'a>>,
    pub(super) types: Vec<Type>,
    pub(super) imported_functions: u32,
    /// The types of the functions that have a body.
    pub(super) functions: Vec<u32>,
    memories: Vec<MemoryType>,
    tables: Vec<TableType>,
    /// How many bytes each data segment has.
    data: Vec<u64>,
    /// How many elements each element segment has.
    elements: Vec<u64>,
    pub(super) bodies: Vec<FunctionBody<'a>>,
}

impl<'a> Survey<'a> {
    pub(super) fn of(wasm: &'a [u8]) -> Result<Self> {
        let mut survey = Survey::default();
        for payload in Parser::new(0).parse_all(wasm) {
            let payload = payload?;
            if let Some((id, range)) = payload.as_section() {
                let contents = wasm.get(range).context("a section is cut short")?;
                survey.sections.push(Section { id, contents });
            }
            survey.note(payload)?;
        }
        Ok(survey)
    }

    /// How many parameters the function has whose body is at `index`.
    pub(super) fn params(&self, index: usize) -> Result<u32> {
        let ty = self
            .functions
            .get(index)
            .context("a body without a function")?;
        match self.types.get(*ty as usize) {
            Some(Type::Func { params }) => Ok(*params),
            _ => bail!("type {ty} is no function type"),
        }
    }

    pub(super) fn memory(&self, index: u32) -> Result<&MemoryType> {
        self.memories
            .get(index as usize)
            .context("there is no such memory")
    }

    pub(super) fn table(&self, index: u32) -> Result<&TableType> {
        self.tables
            .get(index as usize)
            .context("there is no such table")
    }

    pub(super) fn array(&self, index: u32) -> Result<FieldType> {
        match self.types.get(index as usize) {
            Some(Type::Array(field)) => Ok(*field),
            _ => bail!("type {index} is no array type"),
        }
    }

    pub(super) fn data(&self, index: u32) -> Result<u64> {
        self.data
            .get(index as usize)
            .copied()
            .context("there is no such data segment")
    }

    pub(super) fn elements(&self, index: u32) -> Result<u64> {
        self.elements
            .get(index as usize)
            .copied()
            .context("there is no such element segment")
    }

    fn note(&mut self, payload: Payload<'a>) -> Result<()> {
        match payload {
            Payload::Version { encoding, .. } if encoding != wasmparser::Encoding::Module => {
                bail!("a component is no module")
            }
            Payload::TypeSection(section) => {
                for group in section {
                    self.types
                        .extend(group?.types().map(|ty| Type::of(&ty.composite_type.inner)));
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    self.note_import(import?.ty);
                }
            }
            Payload::FunctionSection(section) => {
                for ty in section {
                    self.functions.push(ty?);
                }
            }
            Payload::TableSection(section) => {
                for table in section {
                    self.tables.push(table?.ty);
                }
            }
            Payload::MemorySection(section) => {
                for memory in section {
                    self.memories.push(memory?);
                }
            }
            Payload::ElementSection(section) => {
                for segment in section {
                    self.elements.push(count(&segment?));
                }
            }
            Payload::DataSection(section) => {
                for segment in section {
                    let Data { data, .. } = segment?;
                    self.data.push(data.len() as u64);
                }
            }
            Payload::CodeSectionEntry(body) => self.bodies.push(body),
            _ => (),
        }
        Ok(())
    }

    fn note_import(&mut self, ty: TypeRef) {
        match ty {
            TypeRef::Func(_) | TypeRef::FuncExact(_) => self.imported_functions += 1,
            TypeRef::Memory(memory) => self.memories.push(memory),
            TypeRef::Table(table) => self.tables.push(table),
            TypeRef::Global(_) | TypeRef::Tag(_) => (),
        }
    }
}

impl Type {
    fn of(ty: &CompositeInnerType) -> Self {
        match ty {
            CompositeInnerType::Func(func) => Type::Func {
                params: func.params().len() as u32,
            },
            CompositeInnerType::Array(array) => Type::Array(array.0),
            _ => Type::Other,
        }
    }
}

fn count(segment: &Element<'_>) -> u64 {
    u64::from(match &segment.items {
        ElementItems::Functions(items) => items.count(),
        ElementItems::Expressions(_, items) => items.count(),
    })
}
