//! Writes the sections of a changed module.

use anyhow::{Context, Result, bail};
use wasm_encoder::Encode;
use wasmparser::BinaryReader;

/// Writes a section.
pub(crate) fn put(module: &mut Vec<u8>, id: u8, contents: &[u8]) -> Result<()> {
    module.push(id);
    sized(module, contents)
}

/// Writes bytes with their length before them.
pub(crate) fn sized(sink: &mut Vec<u8>, bytes: &[u8]) -> Result<()> {
    let Ok(length) = u32::try_from(bytes.len()) else {
        bail!("the module becomes too large");
    };
    length.encode(sink);
    sink.extend_from_slice(bytes);
    Ok(())
}

/// A vector with `more` items at its end, which `write` writes. The contents of most sections are a vector.
pub(crate) fn longer(
    vector: &[u8],
    more: usize,
    write: impl FnOnce(&mut Vec<u8>),
) -> Result<Vec<u8>> {
    let mut reader = BinaryReader::new(vector, 0);
    let count = reader.read_var_u32()?.checked_add(u32::try_from(more)?);
    let mut longer = Vec::with_capacity(vector.len() + 32 * more + 8);
    count
        .context("a section has too many items")?
        .encode(&mut longer);
    longer.extend_from_slice(reader.read_bytes(reader.bytes_remaining())?);
    write(&mut longer);
    Ok(longer)
}
