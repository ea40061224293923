//! Puts the module together again, with the kernel's memory as its last import.

use anyhow::{Context, Result};
use wasm_encoder::{CodeSection, Encode, EntityType, MemoryType, Module, RawSection, SectionId};
use wasmparser::{BinaryReader, Parser, Payload};

use super::body::rewrite;
use super::helpers::Helpers;
use super::names::Custom;
use super::shift::Shift;
use super::sites::Sites;
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

/// The new module; `None` if a function becomes too large.
pub(super) fn assemble(
    wasm: &[u8],
    survey: &Survey<'_>,
    sites: &Sites,
    helpers: &Helpers<'_, '_>,
) -> Result<Option<Vec<u8>>> {
    let Some(code) = code(survey, sites, helpers)? else {
        return Ok(None);
    };
    let (mut module, mut shift) = (Module::new(), Shift::of(survey));
    let mut custom = Custom::of(helpers);
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload?;
        let Some((id, range)) = payload.as_section() else {
            continue;
        };
        let data = wasm.get(range).context("a section is cut short")?;
        match id {
            TYPE => {
                let data = &longer(data, helpers.iter().len(), |sink| {
                    helpers.encode_types(sink)
                })?;
                module.section(&RawSection { id, data });
            }
            FUNCTION => {
                let more = |sink: &mut Vec<u8>| helpers.encode_functions(sink);
                let data = &longer(data, helpers.iter().len(), more)?;
                module.section(&RawSection { id, data });
            }
            IMPORT => {
                module.section(&RawSection {
                    id,
                    data: &imports(data)?,
                });
            }
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
                    custom.put(&mut module, &section);
                }
            }
            id => {
                module.section(&RawSection { id, data });
            }
        }
    }
    custom.finish(&mut module);
    Ok(Some(module.finish()))
}

/// A vector, such as most sections are, with some items more, which a function writes.
pub(super) fn longer(
    vector: &[u8],
    more: usize,
    items: impl FnOnce(&mut Vec<u8>),
) -> wasmparser::Result<Vec<u8>> {
    let mut reader = BinaryReader::new(vector, 0);
    let count = reader.read_var_u32()? as usize + more;
    let mut longer = Vec::with_capacity(vector.len() + 32 * more + 8);
    count.encode(&mut longer);
    longer.extend_from_slice(reader.read_bytes(reader.bytes_remaining())?);
    items(&mut longer);
    Ok(longer)
}

/// The contents of an import section with the kernel's memory behind what is there.
fn imports(contents: &[u8]) -> Result<Vec<u8>> {
    // Any memory has so many pages; how many the kernel's has is not for every module to say.
    let ty = MemoryType {
        minimum: 0,
        maximum: None,
        memory64: false,
        shared: false,
        page_size_log2: None,
    };
    let memory = |sink: &mut Vec<u8>| {
        NAMESPACE.encode(sink);
        MEMORY.encode(sink);
        EntityType::Memory(ty).encode(sink);
    };
    Ok(longer(contents, 1, memory)?)
}

fn code(
    survey: &Survey<'_>,
    sites: &Sites,
    helpers: &Helpers<'_, '_>,
) -> Result<Option<CodeSection>> {
    let mut code = CodeSection::new();
    for (body, there) in survey.bodies.iter().zip(&sites.bodies) {
        let before = code.byte_len();
        if there.is_some() || survey.has_own_memory() {
            code.function(&rewrite(body, there.as_ref(), survey, sites, helpers)?);
        } else {
            code.raw(body.as_bytes());
        }
        if code.byte_len() - before > MAX_BODY {
            return Ok(None);
        }
    }
    for helper in helpers.iter() {
        code.function(&helpers.code(helper));
    }
    Ok(Some(code))
}
