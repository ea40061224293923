//! The declarations of a module, with its sections and bodies as they are.

use anyhow::{Context, Result, bail};
use wasmparser::{
    CompositeInnerType, Element, ElementItems, Encoding, FieldType, FuncType, FunctionBody, Import,
    MemoryType, Parser, Payload, TableType, TypeRef,
};

/// A section: its id and its contents.
pub(crate) struct Section<'a> {
    pub(crate) id: u8,
    pub(crate) contents: &'a [u8],
}

/// The declarations of a module.
#[derive(Default)]
pub(crate) struct Survey<'a> {
    pub(crate) sections: Vec<Section<'a>>,
    pub(crate) types: Vec<CompositeInnerType>,
    pub(crate) imports: Vec<Import<'a>>,
    /// The types of the functions that have a body.
    pub(crate) functions: Vec<u32>,
    pub(crate) memories: Vec<MemoryType>,
    tables: Vec<TableType>,
    globals: u32,
    /// The length of each data segment, in bytes.
    data: Vec<u64>,
    /// The length of each element segment, in elements.
    elements: Vec<u64>,
    pub(crate) bodies: Vec<FunctionBody<'a>>,
    imported_functions: u32,
    pub(crate) imported_memories: u32,
}

impl<'a> Survey<'a> {
    /// The declarations of a module, which should be valid.
    pub(crate) fn of(wasm: &'a [u8]) -> Result<Self> {
        let mut survey = Survey::default();
        for payload in Parser::new(0).parse_all(wasm) {
            let payload = payload?;
            if let Some((id, range)) = payload.as_section() {
                let contents = wasm.get(range).context("a section is cut short")?;
                survey.sections.push(Section { id, contents });
            }
            survey.add(payload)?;
        }
        Ok(survey)
    }

    /// The number of functions, the imported ones included.
    pub(crate) fn function_count(&self) -> usize {
        self.imported_functions as usize + self.functions.len()
    }

    /// The number of globals, the imported ones included.
    pub(crate) fn global_count(&self) -> u32 {
        self.globals
    }

    /// The type at an index, if it is a function type.
    pub(crate) fn function(&self, ty: u32) -> Result<&FuncType> {
        match self.types.get(ty as usize) {
            Some(CompositeInnerType::Func(ty)) => Ok(ty),
            _ => bail!("type {ty} is not a function type"),
        }
    }

    /// The type of the function that has the nth body.
    pub(crate) fn type_of_body(&self, nth: usize) -> Result<&FuncType> {
        let ty = self.functions.get(nth);
        self.function(*ty.context("a body without a function")?)
    }

    pub(crate) fn memory(&self, index: u32) -> Result<&MemoryType> {
        let memory = self.memories.get(index as usize);
        memory.context("there is no such memory")
    }

    pub(crate) fn table(&self, index: u32) -> Result<&TableType> {
        let table = self.tables.get(index as usize);
        table.context("there is no such table")
    }

    /// The element type of an array.
    pub(crate) fn array(&self, ty: u32) -> Result<FieldType> {
        match self.types.get(ty as usize) {
            Some(CompositeInnerType::Array(array)) => Ok(array.0),
            _ => bail!("type {ty} is not an array type"),
        }
    }

    /// The length of a data segment.
    pub(crate) fn data(&self, index: u32) -> Result<u64> {
        let data = self.data.get(index as usize);
        data.copied().context("there is no such data segment")
    }

    /// The length of an element segment.
    pub(crate) fn elements(&self, index: u32) -> Result<u64> {
        let elements = self.elements.get(index as usize);
        elements
            .copied()
            .context("there is no such element segment")
    }

    fn add(&mut self, payload: Payload<'a>) -> Result<()> {
        match payload {
            Payload::Version { encoding, .. } if encoding != Encoding::Module => {
                bail!("a component is not a module")
            }
            Payload::TypeSection(section) => {
                for group in section {
                    let types = group?.into_types();
                    self.types.extend(types.map(|ty| ty.composite_type.inner));
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import?;
                    self.add_import(import.ty);
                    self.imports.push(import);
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
            Payload::GlobalSection(section) => self.globals += section.count(),
            Payload::ElementSection(section) => {
                for segment in section {
                    self.elements.push(length(&segment?));
                }
            }
            Payload::DataSection(section) => {
                for segment in section {
                    self.data.push(segment?.data.len() as u64);
                }
            }
            Payload::CodeSectionEntry(body) => self.bodies.push(body),
            _ => (),
        }
        Ok(())
    }

    fn add_import(&mut self, ty: TypeRef) {
        match ty {
            TypeRef::Func(_) | TypeRef::FuncExact(_) => self.imported_functions += 1,
            TypeRef::Memory(memory) => {
                self.memories.push(memory);
                self.imported_memories += 1;
            }
            TypeRef::Table(table) => self.tables.push(table),
            TypeRef::Global(_) => self.globals += 1,
            TypeRef::Tag(_) => (),
        }
    }
}

fn length(segment: &Element<'_>) -> u64 {
    u64::from(match &segment.items {
        ElementItems::Functions(items) => items.count(),
        ElementItems::Expressions(_, items) => items.count(),
    })
}
