//! The custom sections of a changed module: functions that were added get names, and sections that describe places
//! in the code are dropped.

use anyhow::Result;
use wasm_encoder::Encode;
use wasmparser::BinaryReader;

use crate::sections::{longer, sized};

/// Sections, and beginnings of the names of sections, that describe places in the code, which have moved.
const STALE: [&str; 6] = [
    ".debug_",
    "metadata.code.",
    "reloc.",
    "linking",
    "sourceMappingURL",
    "external_debug_info",
];

/// The subsections of the `name` section with the names of functions and of memories.
const FUNCTION_NAMES: u8 = 1;
const MEMORY_NAMES: u8 = 6;

/// Whether a section of this name describes places in the code.
pub(crate) fn is_stale(name: &str) -> bool {
    STALE.iter().any(|stale| name.starts_with(stale))
}

/// Rewrites the custom sections of a module, one after the other.
pub(crate) struct CustomSections {
    /// The names of the functions that were added, by index, while they are not written.
    added: Vec<(u32, &'static str)>,
    /// Whether the indices of memories change. Then the names of memories are dropped, because nothing needs them.
    memories_move: bool,
}

impl CustomSections {
    /// `added` has the indices and the names of the functions that were added: they are the module's last functions.
    pub(crate) fn new(added: Vec<(u32, &'static str)>, memories_move: bool) -> Self {
        CustomSections {
            added,
            memories_move,
        }
    }

    /// The new contents of a custom section; `None` if it is dropped.
    pub(crate) fn rewrite(&mut self, contents: &[u8]) -> Result<Option<Vec<u8>>> {
        let mut reader = BinaryReader::new(contents, 0);
        let name = reader.read_string()?;
        if is_stale(name) {
            return Ok(None);
        }
        if name == "name" {
            // Nothing validates custom sections: one that cannot be read stays as it is.
            if let Ok(Some(contents)) = self.names(reader) {
                return Ok(Some(contents));
            }
        }
        Ok(Some(contents.to_vec()))
    }

    /// The contents of a `name` section that is still needed once all sections were rewritten.
    pub(crate) fn missing(self) -> Result<Option<Vec<u8>>> {
        if self.added.is_empty() {
            return Ok(None);
        }
        let mut section = Vec::new();
        "name".encode(&mut section);
        section.push(FUNCTION_NAMES);
        sized(&mut section, &self.with_added(&[0])?)?;
        Ok(Some(section))
    }

    /// The `name` section, whose subsections follow; `None` if it does not change.
    fn names(&mut self, mut reader: BinaryReader<'_>) -> Result<Option<Vec<u8>>> {
        let mut section = Vec::with_capacity(reader.bytes_remaining() + 64);
        "name".encode(&mut section);
        let (mut named, mut changed) = (false, false);
        while !reader.eof() {
            let id = reader.read_u8()?;
            let length = reader.read_var_u32()? as usize;
            let names = reader.read_bytes(length)?;
            if id == MEMORY_NAMES && self.memories_move {
                changed = true;
                continue;
            }
            section.push(id);
            if id == FUNCTION_NAMES && !named && !self.added.is_empty() {
                (named, changed) = (true, true);
                sized(&mut section, &self.with_added(names)?)?;
            } else {
                sized(&mut section, names)?;
            }
        }
        if named {
            self.added.clear();
        }
        Ok(changed.then_some(section))
    }

    /// The names of functions with those of the added ones. Indices ascend, and the added functions are the last.
    fn with_added(&self, names: &[u8]) -> Result<Vec<u8>> {
        longer(names, self.added.len(), |sink| {
            for (index, name) in &self.added {
                index.encode(sink);
                name.encode(sink);
            }
        })
    }
}
