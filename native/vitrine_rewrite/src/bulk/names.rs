//! Custom sections: names for the helpers, and what must go.

use anyhow::Result;
use wasm_encoder::Encode;
use wasmparser::BinaryReader;

use super::assemble::{longer, sized};
use super::helpers::{Helper, Helpers};
use crate::sections::is_stale;

/// The subsection of the `name` section that has the names of functions.
const FUNCTION_NAMES: u8 = 1;

/// The new contents of a custom section; nothing if it is to be dropped. Sets `named` once the
/// helpers have their names.
pub(super) fn custom(
    contents: &[u8],
    helpers: &Helpers<'_, '_>,
    named: &mut bool,
) -> Result<Option<Vec<u8>>> {
    let mut reader = BinaryReader::new(contents, 0);
    let name = reader.read_string()?;
    if is_stale(name) {
        return Ok(None);
    }
    if name == "name" && !*named {
        // Nothing checks custom sections: what cannot be read is left as it is.
        if let Ok(Some(contents)) = extended(reader, helpers) {
            *named = true;
            return Ok(Some(contents));
        }
    }
    Ok(Some(contents.to_vec()))
}

/// A `name` section with the helpers' names only.
pub(super) fn new(helpers: &Helpers<'_, '_>) -> Result<Vec<u8>> {
    let mut section = Vec::new();
    "name".encode(&mut section);
    section.push(FUNCTION_NAMES);
    sized(&mut section, &longer(&[0], helpers, named)?)?;
    Ok(section)
}

/// The `name` section with more functions, if it has the names of any.
fn extended(mut reader: BinaryReader<'_>, helpers: &Helpers<'_, '_>) -> Result<Option<Vec<u8>>> {
    let mut section = Vec::new();
    "name".encode(&mut section);
    let mut found = false;
    while !reader.eof() {
        let id = reader.read_u8()?;
        let length = reader.read_var_u32()? as usize;
        let subsection = reader.read_bytes(length)?;
        section.push(id);
        if id == FUNCTION_NAMES && !found {
            found = true;
            // Indices ascend, and the helpers are the last functions.
            sized(&mut section, &longer(subsection, helpers, named)?)?;
        } else {
            sized(&mut section, subsection)?;
        }
    }
    Ok(found.then_some(section))
}

fn named(helper: &Helper, sink: &mut Vec<u8>) {
    helper.function_index.encode(sink);
    helper.bulk.name().encode(sink);
}
