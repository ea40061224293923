//! Puts the module together again, with the kernel's memory as its last import.

use anyhow::Result;
use wasm_encoder::{CodeSection, Encode, EntityType, MemoryType, Module, Section as _, SectionId};

use super::body::fused;
use super::helpers::Helpers;
use super::shift::Shift;
use super::sites::Sites;
use super::target::Target;
use super::{MEMORY, NAMESPACE};
use crate::custom_sections::CustomSections;
use crate::sections::{longer, put};
use crate::survey::Section;

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
    target: &Target<'_>,
    sites: &Sites,
    helpers: &Helpers<'_, '_>,
) -> Result<Option<Vec<u8>>> {
    let Some(code) = code(target, sites, helpers)? else {
        return Ok(None);
    };
    let mut module = Module::HEADER.to_vec();
    let mut shift = Shift::of(target);
    let mut custom = CustomSections::new(helpers.names(), true);
    let more = helpers.iter().len();
    for Section { id, contents } in target.sections() {
        match *id {
            TYPE => {
                let types = longer(contents, more, |sink| helpers.encode_types(sink))?;
                put(&mut module, TYPE, &types)?;
            }
            FUNCTION => {
                let functions = longer(contents, more, |sink| helpers.encode_functions(sink))?;
                put(&mut module, FUNCTION, &functions)?;
            }
            IMPORT => put(&mut module, IMPORT, &imports(contents)?)?,
            EXPORT => shift.exports(contents)?.append_to(&mut module),
            CODE => code.append_to(&mut module),
            DATA => shift.data(contents)?.append_to(&mut module),
            CUSTOM => {
                if let Some(contents) = custom.rewrite(contents)? {
                    put(&mut module, CUSTOM, &contents)?;
                }
            }
            id => put(&mut module, id, contents)?,
        }
    }
    if let Some(contents) = custom.missing()? {
        put(&mut module, CUSTOM, &contents)?;
    }
    Ok(Some(module))
}

/// The contents of an import section, with the kernel's memory at the end.
fn imports(contents: &[u8]) -> Result<Vec<u8>> {
    // Every memory has at least this many pages. A module should not have to know how many the kernel's has.
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
    longer(contents, 1, memory)
}

fn code(
    target: &Target<'_>,
    sites: &Sites,
    helpers: &Helpers<'_, '_>,
) -> Result<Option<CodeSection>> {
    let mut code = CodeSection::new();
    for (body, there) in target.bodies().iter().zip(&sites.bodies) {
        let before = code.byte_len();
        if there.is_some() || target.has_own_memory() {
            code.function(&fused(body, there.as_ref(), target, sites, helpers)?);
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
