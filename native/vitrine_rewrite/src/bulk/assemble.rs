//! Puts the module together again, with the helpers.

use anyhow::Result;
use wasm_encoder::{Encode, SectionId};
use wasmparser::FunctionBody;

use super::helpers::{Helper, Helpers};
use crate::custom_sections::CustomSections;
use crate::sections::{longer, put, sized};
use crate::survey::Survey;

const TYPE: u8 = SectionId::Type as u8;
const FUNCTION: u8 = SectionId::Function as u8;
const CODE: u8 = SectionId::Code as u8;
const CUSTOM: u8 = SectionId::Custom as u8;

/// The new module. `bodies` has the bodies that changed.
pub(super) fn assemble(
    survey: &Survey<'_>,
    bodies: &[Option<Vec<u8>>],
    helpers: &Helpers<'_, '_>,
) -> Result<Vec<u8>> {
    let mut module = wasm_encoder::Module::HEADER.to_vec();
    let names = helpers.iter().map(Helper::name).collect();
    let mut custom = CustomSections::new(names, false);
    for section in &survey.sections {
        let contents = section.contents;
        match section.id {
            TYPE => put(&mut module, TYPE, &with_each(contents, helpers, func_type)?)?,
            FUNCTION => {
                let function = |helper: &Helper, sink: &mut _| helper.type_index.encode(sink);
                put(
                    &mut module,
                    FUNCTION,
                    &with_each(contents, helpers, function)?,
                )?;
            }
            CODE => put(&mut module, CODE, &code(&survey.bodies, bodies, helpers)?)?,
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
    Ok(module)
}

/// A section with one item more for each helper.
fn with_each(
    section: &[u8],
    helpers: &Helpers<'_, '_>,
    item: impl Fn(&Helper, &mut Vec<u8>),
) -> Result<Vec<u8>> {
    longer(section, helpers.iter().len(), |sink| {
        helpers.iter().for_each(|helper| item(helper, sink));
    })
}

fn func_type(helper: &Helper, sink: &mut Vec<u8>) {
    sink.push(0x60);
    helper.operands.len().encode(sink);
    for operand in &helper.operands {
        operand.ty.encode(sink);
    }
    0_u32.encode(sink);
}

fn code(
    old: &[FunctionBody<'_>],
    new: &[Option<Vec<u8>>],
    helpers: &Helpers<'_, '_>,
) -> Result<Vec<u8>> {
    let mut section = Vec::new();
    (old.len() + helpers.iter().len()).encode(&mut section);
    for (old, new) in old.iter().zip(new) {
        sized(&mut section, new.as_deref().unwrap_or(old.as_bytes()))?;
    }
    for helper in helpers.iter() {
        sized(&mut section, &helper.code().into_raw_body())?;
    }
    Ok(section)
}
