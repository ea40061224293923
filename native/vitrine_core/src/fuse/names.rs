//! Custom sections: names for the helpers, and what must go.

use std::borrow::Cow;

use wasm_encoder::{CustomSection, Encode, Module, NameMap, NameSection};
use wasmparser::{BinaryReader, CustomSectionReader, Result};

use super::helper::Helpers;
use crate::interruptible::is_stale;

/// Subsections of the `name` section.
const FUNCTION_NAMES: u8 = 1;
const MEMORY_NAMES: u8 = 6;

/// Adds the new form of a custom section, if there is to be any. Sets `named` once the helpers have
/// their names.
pub(super) fn custom(
    module: &mut Module,
    section: &CustomSectionReader<'_>,
    helpers: &Helpers<'_, '_>,
    named: &mut bool,
) {
    if is_stale(section.name()) {
        return;
    }
    let mut data = Cow::Borrowed(section.data());
    // Nothing checks custom sections: what cannot be read is left as it is.
    if section.name() == "name"
        && !*named
        && let Ok((names, found)) = extended(section.data(), helpers)
    {
        (data, *named) = (Cow::Owned(names), found);
    }
    module.section(&CustomSection {
        name: section.name().into(),
        data,
    });
}

/// A `name` section with the helpers' names only.
pub(super) fn new(helpers: &Helpers<'_, '_>) -> NameSection {
    let mut names = NameMap::new();
    for (index, name) in helpers.names() {
        names.append(index, name);
    }
    let mut section = NameSection::new();
    section.functions(&names);
    section
}

/// The contents of the `name` section without the names of memories, whose indices shift, and with
/// more functions, if it has the names of any.
fn extended(contents: &[u8], helpers: &Helpers<'_, '_>) -> Result<(Vec<u8>, bool)> {
    let mut reader = BinaryReader::new(contents, 0);
    let (mut section, mut found) = (Vec::with_capacity(contents.len()), false);
    while !reader.eof() {
        let id = reader.read_u8()?;
        let length = reader.read_var_u32()? as usize;
        let names = reader.read_bytes(length)?;
        match id {
            MEMORY_NAMES => (),
            FUNCTION_NAMES if !found => {
                found = true;
                section.push(id);
                more_functions(names, helpers)?
                    .as_slice()
                    .encode(&mut section);
            }
            id => {
                section.push(id);
                names.encode(&mut section);
            }
        }
    }
    Ok((section, found))
}

/// Indices ascend, and the helpers are the last functions.
fn more_functions(names: &[u8], helpers: &Helpers<'_, '_>) -> Result<Vec<u8>> {
    let mut reader = BinaryReader::new(names, 0);
    let count = reader.read_var_u32()? as usize;
    let mut longer = Vec::new();
    (count + helpers.len()).encode(&mut longer);
    longer.extend_from_slice(reader.read_bytes(reader.bytes_remaining())?);
    for (index, name) in helpers.names() {
        index.encode(&mut longer);
        name.encode(&mut longer);
    }
    Ok(longer)
}
