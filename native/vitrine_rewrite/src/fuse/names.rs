//! Custom sections: those that tell of places in the code, or of memories, change, and functions that
//! are added have names.

use std::borrow::Cow;

use wasm_encoder::{CustomSection, Encode, Module};
use wasmparser::{BinaryReader, CustomSectionReader, Result};

use super::assemble::longer;
use super::helpers::Helpers;
use crate::sections::is_stale;

/// The subsections of the `name` section that have the names of functions and of memories.
const FUNCTION_NAMES: u8 = 1;
const MEMORY_NAMES: u8 = 6;

/// Puts custom sections into a module.
pub(super) struct Custom<'h, 's, 'a> {
    helpers: &'h Helpers<'s, 'a>,
    /// Whether the helpers have their names.
    named: bool,
}

impl<'h, 's, 'a> Custom<'h, 's, 'a> {
    pub(super) fn of(helpers: &'h Helpers<'s, 'a>) -> Self {
        Custom {
            helpers,
            named: helpers.iter().len() == 0,
        }
    }

    /// Adds the new form of a custom section, if there is to be any.
    pub(super) fn put(&mut self, module: &mut Module, section: &CustomSectionReader<'_>) {
        if is_stale(section.name()) {
            return;
        }
        let mut data = Cow::Borrowed(section.data());
        // Nothing checks custom sections: what cannot be read is left as it is.
        if section.name() == "name"
            && let Ok(names) = self.names(section.data())
        {
            data = Cow::Owned(names);
        }
        module.section(&CustomSection {
            name: section.name().into(),
            data,
        });
    }

    /// Adds what was missing.
    pub(super) fn finish(self, module: &mut Module) {
        if self.named {
            return;
        }
        let mut names = Vec::new();
        self.helpers.iter().len().encode(&mut names);
        self.helpers.encode_names(&mut names);
        let mut data = vec![FUNCTION_NAMES];
        names.encode(&mut data);
        module.section(&CustomSection {
            name: "name".into(),
            data: data.into(),
        });
    }

    /// The contents of the `name` section without the names of memories, whose indices shift: nobody
    /// asks for them.
    fn names(&mut self, contents: &[u8]) -> Result<Vec<u8>> {
        let mut reader = BinaryReader::new(contents, 0);
        let mut section = Vec::with_capacity(contents.len());
        let mut named = self.named;
        while !reader.eof() {
            let id = reader.read_u8()?;
            let length = reader.read_var_u32()? as usize;
            let names = reader.read_bytes(length)?;
            if id == MEMORY_NAMES {
                continue;
            }
            section.push(id);
            if id == FUNCTION_NAMES && !named {
                named = true;
                // Indices ascend, and the helpers are the last functions.
                let more = |sink: &mut Vec<u8>| self.helpers.encode_names(sink);
                longer(names, self.helpers.iter().len(), more)?.encode(&mut section);
            } else {
                names.encode(&mut section);
            }
        }
        self.named = named;
        Ok(section)
    }
}
