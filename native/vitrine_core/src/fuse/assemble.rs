//! Puts the module together again, with the kernel's memory as its last import.

use anyhow::{Context, Result};
use wasm_encoder::{
    CodeSection, Encode, Function, FunctionSection, ImportSection, MemoryType, Module, RawSection,
    Section, SectionId, TypeSection,
};
use wasmparser::{BinaryReader, Parser, Payload};

use super::helper::Helpers;
use super::names;
use super::shift::Shift;
use super::survey::Survey;
use super::{MEMORY, NAMESPACE};

const TYPE: u8 = SectionId::Type as u8;
const IMPORT: u8 = SectionId::Import as u8;
const FUNCTION: u8 = SectionId::Function as u8;
const EXPORT: u8 = SectionId::Export as u8;
const CODE: u8 = SectionId::Code as u8;
const DATA: u8 = SectionId::Data as u8;
const CUSTOM: u8 = SectionId::Custom as u8;

/// The largest body that every engine accepts.
const MAX_BODY: usize = 7_654_321;

/// The new module; `None` if a function becomes too large. `bodies` has those bodies that are not
/// the old ones.
pub(super) fn assemble(
    wasm: &[u8],
    survey: &Survey<'_>,
    bodies: Vec<Option<Function>>,
    helpers: &Helpers<'_, '_>,
) -> Result<Option<Vec<u8>>> {
    let Some(mut code) = code(survey, bodies)? else {
        return Ok(None);
    };
    for helper in helpers.code() {
        code.function(&helper);
    }
    let (mut module, mut shift, mut named) = (Module::new(), Shift::of(survey), false);
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload?;
        let Some((id, range)) = payload.as_section() else {
            continue;
        };
        let data = wasm.get(range).context("a section is cut short")?;
        match id {
            TYPE => longer(&mut module, data, &types(helpers))?,
            IMPORT => longer(&mut module, data, &kernel_memory())?,
            FUNCTION => longer(&mut module, data, &functions(survey, helpers))?,
            EXPORT => {
                module.section(&shift.exports(data)?);
            }
            CODE => {
                module.section(&code);
            }
            DATA => {
                module.section(&shift.data(data)?);
            }
            CUSTOM => {
                if let Payload::CustomSection(section) = payload {
                    names::custom(&mut module, &section, helpers, &mut named);
                }
            }
            id => {
                module.section(&RawSection { id, data });
            }
        }
    }
    if !named && helpers.len() > 0 {
        module.section(&names::new(helpers));
    }
    Ok(Some(module.finish()))
}

/// Adds a section with the items of another one behind those that are there. Sections that are
/// vectors all begin with the number of their items.
fn longer(module: &mut Module, contents: &[u8], more: &impl Section) -> Result<()> {
    let mut added = Vec::new();
    more.encode(&mut added);
    let mut added = BinaryReader::new(&added, 0);
    let _length = added.read_var_u32()?;
    let mut reader = BinaryReader::new(contents, 0);
    let count = reader.read_var_u32()?.checked_add(added.read_var_u32()?);
    let mut data = Vec::with_capacity(contents.len() + added.bytes_remaining() + 5);
    count
        .context("a section has too many items")?
        .encode(&mut data);
    data.extend_from_slice(reader.read_bytes(reader.bytes_remaining())?);
    data.extend_from_slice(added.read_bytes(added.bytes_remaining())?);
    module.section(&RawSection {
        id: more.id(),
        data: &data,
    });
    Ok(())
}

fn types(helpers: &Helpers<'_, '_>) -> TypeSection {
    let mut section = TypeSection::new();
    if let Some((params, results)) = helpers.ty() {
        section.ty().function(params, results);
    }
    section
}

fn kernel_memory() -> ImportSection {
    let mut section = ImportSection::new();
    // Any memory has so many pages; how many the kernel's has is not for every module to say.
    let ty = MemoryType {
        minimum: 0,
        maximum: None,
        memory64: false,
        shared: false,
        page_size_log2: None,
    };
    section.import(NAMESPACE, MEMORY, ty);
    section
}

fn functions(survey: &Survey<'_>, helpers: &Helpers<'_, '_>) -> FunctionSection {
    let mut section = FunctionSection::new();
    for _ in 0..helpers.len() {
        section.function(survey.next_type());
    }
    section
}

fn code(survey: &Survey<'_>, bodies: Vec<Option<Function>>) -> Result<Option<CodeSection>> {
    let (mut code, mut shift) = (CodeSection::new(), Shift::of(survey));
    for (old, new) in survey.bodies.iter().zip(bodies) {
        let before = code.byte_len();
        match new {
            Some(new) => {
                code.function(&new);
            }
            None if survey.has_own_memory() => shift.body(old, &mut code)?,
            None => {
                code.raw(old.as_bytes());
            }
        }
        if code.byte_len() - before > MAX_BODY {
            return Ok(None);
        }
    }
    Ok(Some(code))
}
