//! Encodes code and sections anew with other indices of memories.

use std::convert::Infallible;

use anyhow::Result;
use wasm_encoder::reencode::{Error, Reencode};
use wasm_encoder::{DataSection, ExportSection};
use wasmparser::{BinaryReader, DataSectionReader, ExportSectionReader};

use super::target::Target;

/// The index of a memory once the kernel's memory was added.
pub(super) fn shifted(memory: u32, kernel: u32) -> u32 {
    memory + u32::from(memory >= kernel)
}

/// Shifts the indices of the memories after the kernel's.
pub(super) struct Shift {
    kernel: u32,
}

impl Shift {
    pub(super) fn of(target: &Target<'_>) -> Self {
        Shift {
            kernel: target.kernel_memory(),
        }
    }

    /// The contents of an export section.
    pub(super) fn exports(&mut self, contents: &[u8]) -> Result<ExportSection> {
        let (mut section, reader) = (ExportSection::new(), BinaryReader::new(contents, 0));
        self.parse_export_section(&mut section, ExportSectionReader::new(reader)?)?;
        Ok(section)
    }

    /// The contents of a data section.
    pub(super) fn data(&mut self, contents: &[u8]) -> Result<DataSection> {
        let (mut section, reader) = (DataSection::new(), BinaryReader::new(contents, 0));
        self.parse_data_section(&mut section, DataSectionReader::new(reader)?)?;
        Ok(section)
    }
}

impl Reencode for Shift {
    type Error = Infallible;

    fn memory_index(&mut self, memory: u32) -> Result<u32, Error> {
        Ok(shifted(memory, self.kernel))
    }
}
