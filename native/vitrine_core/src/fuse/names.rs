//! Custom sections: those that tell of places in the code, or of memories, change.

use std::borrow::Cow;

use wasm_encoder::{CustomSection, Encode, Module};
use wasmparser::{BinaryReader, CustomSectionReader, Result};

use crate::interruptible::is_stale;

/// The subsection of the `name` section that has the names of memories.
const MEMORY_NAMES: u8 = 6;

/// Adds the new form of a custom section, if there is to be any.
pub(super) fn custom(module: &mut Module, section: &CustomSectionReader<'_>) {
    if is_stale(section.name()) {
        return;
    }
    let mut data = Cow::Borrowed(section.data());
    // Nothing checks custom sections: what cannot be read is left as it is.
    if section.name() == "name"
        && let Ok(names) = without_memories(section.data())
    {
        data = Cow::Owned(names);
    }
    module.section(&CustomSection {
        name: section.name().into(),
        data,
    });
}

/// The contents of the `name` section without the names of memories, whose indices shift: nobody asks
/// for them.
fn without_memories(contents: &[u8]) -> Result<Vec<u8>> {
    let mut reader = BinaryReader::new(contents, 0);
    let mut section = Vec::with_capacity(contents.len());
    while !reader.eof() {
        let id = reader.read_u8()?;
        let length = reader.read_var_u32()? as usize;
        let names = reader.read_bytes(length)?;
        if id != MEMORY_NAMES {
            section.push(id);
            names.encode(&mut section);
        }
    }
    Ok(section)
}
