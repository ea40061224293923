//! Puts the module together again, with what was added to it.

use anyhow::{Context, Result, bail};
use wasm_encoder::{Encode, SectionId};
use wasmparser::{BinaryReader, FunctionBody};

use super::helpers::{Helper, Helpers};
use super::names;
use super::survey::Survey;

const TYPE: u8 = SectionId::Type as u8;
const FUNCTION: u8 = SectionId::Function as u8;
const CODE: u8 = SectionId::Code as u8;
const CUSTOM: u8 = SectionId::Custom as u8;

/// The new module. `bodies` has those bodies that are not the old ones.
pub(super) fn assemble(
    survey: &Survey<'_>,
    bodies: &[Option<Vec<u8>>],
    helpers: &Helpers<'_, '_>,
) -> Result<Vec<u8>> {
    let mut module = wasm_encoder::Module::HEADER.to_vec();
    let mut named = false;
    for section in &survey.sections {
        let contents = section.contents;
        match section.id {
            TYPE => put(&mut module, TYPE, &longer(contents, helpers, func_type)?)?,
            FUNCTION => put(&mut module, FUNCTION, &longer(contents, helpers, function)?)?,
            CODE => put(&mut module, CODE, &code(&survey.bodies, bodies, helpers)?)?,
            CUSTOM => match names::custom(contents, helpers, &mut named)? {
                Some(contents) => put(&mut module, CUSTOM, &contents)?,
                None => continue,
            },
            id => put(&mut module, id, contents)?,
        }
    }
    if !named {
        put(&mut module, CUSTOM, &names::new(helpers)?)?;
    }
    Ok(module)
}

fn put(module: &mut Vec<u8>, id: u8, contents: &[u8]) -> Result<()> {
    module.push(id);
    sized(module, contents)
}

/// Bytes with their length before them.
pub(super) fn sized(sink: &mut Vec<u8>, bytes: &[u8]) -> Result<()> {
    let Ok(length) = u32::try_from(bytes.len()) else {
        bail!("the module becomes too large");
    };
    length.encode(sink);
    sink.extend_from_slice(bytes);
    Ok(())
}

/// A vector, such as most sections are, with an item more for each helper.
pub(super) fn longer(
    vector: &[u8],
    helpers: &Helpers<'_, '_>,
    item: impl Fn(&Helper, &mut Vec<u8>),
) -> Result<Vec<u8>> {
    let mut reader = BinaryReader::new(vector, 0);
    let count = reader.read_var_u32()?;
    let items = reader.read_bytes(reader.bytes_remaining())?;
    let mut new = Vec::with_capacity(vector.len() + 8 * helpers.iter().len());
    let more = helpers.iter().len() as u32;
    count
        .checked_add(more)
        .context("a section has too many items")?
        .encode(&mut new);
    new.extend_from_slice(items);
    for helper in helpers.iter() {
        item(helper, &mut new);
    }
    Ok(new)
}

fn func_type(helper: &Helper, sink: &mut Vec<u8>) {
    sink.push(0x60);
    helper.operands.len().encode(sink);
    for operand in &helper.operands {
        operand.ty.encode(sink);
    }
    0_u32.encode(sink);
}

fn function(helper: &Helper, sink: &mut Vec<u8>) {
    helper.type_index.encode(sink);
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
