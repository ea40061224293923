//! The files and lines of a guest's code, from its debug information, which is untrusted.
//!
//! They are read once, when the module is compiled, on a deep stack. Only flat parts are read: the line programs, and the first
//! entry of each unit, which has the directory in which it was compiled. The trees of entries (functions, what is inlined into
//! them, types) are never read, so their depth does not matter. The line program has the line of an instruction even if the
//! instruction was inlined.
//!
//! Wasmtime's own symboliser is not used. It walks the trees by recursion, on the stack of the fiber that trapped, and reads all
//! debug information again for each frame.

mod programs;
mod units;

use std::collections::HashMap;

use gimli::{EndianSlice, LittleEndian};
use wasmparser::{Parser, Payload};

type Bytes<'a> = EndianSlice<'a, LittleEndian>;
type Dwarf<'a> = gimli::Dwarf<Bytes<'a>>;

/// The files and lines of the instructions of a module's functions.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    /// The number of imported functions.
    imported: u32,
    /// The beginning of the body of each other function, counted from the beginning of the code section like all addresses of
    /// debug information.
    bodies: Vec<u32>,
    files: Vec<String>,
    /// The rows, sorted by address.
    rows: Vec<Row>,
}

/// The line of the instructions from an address to that of the next row.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Row {
    address: u32,
    /// The index in `files`, or [`NONE`].
    file: u32,
    /// The line; 0 means that it is unknown.
    line: u32,
}

const NONE: u32 = u32::MAX;

impl Lines {
    /// Reads the debug information of a valid module, as far as it can be read.
    pub(crate) fn of(wasm: &[u8]) -> Lines {
        let mut lines = Lines::default();
        let mut sections = HashMap::new();
        let mut code = 0..0;
        for payload in Parser::new(0).parse_all(wasm) {
            match payload {
                Ok(Payload::ImportSection(imports)) => {
                    let functions = imports.into_imports().flatten();
                    lines.imported +=
                        functions.filter(|import| is_function(import.ty)).count() as u32;
                }
                Ok(Payload::CodeSectionStart { range, .. }) => code = range,
                Ok(Payload::CodeSectionEntry(body)) => {
                    lines.bodies.push((body.range().start - code.start) as u32);
                }
                Ok(Payload::CustomSection(section)) if section.name().starts_with(".debug_") => {
                    sections.insert(section.name(), section.data());
                }
                Ok(_) => (),
                Err(_) => return lines,
            }
        }
        let size = sections.values().map(|bytes| bytes.len() as u64).sum();
        let load = |id: gimli::SectionId| {
            let bytes = sections.get(id.name()).copied().unwrap_or_default();
            Ok::<_, gimli::Error>(EndianSlice::new(bytes, LittleEndian))
        };
        if let Ok(dwarf) = Dwarf::load(load) {
            let directories = units::directories(&dwarf, &mut Fuel::of(size));
            let (rows, files) =
                programs::read(&dwarf, &directories, code.len(), &mut Fuel::of(size));
            (lines.rows, lines.files) = (rows, files);
        }
        lines
    }

    /// The file and the line of the instruction at an offset of a function's body.
    pub(crate) fn find(&self, function: u32, offset: usize) -> Option<(&str, Option<u32>)> {
        let body = self
            .bodies
            .get(function.checked_sub(self.imported)? as usize)?;
        let address = u32::try_from(offset).ok()?.checked_add(*body)?;
        let after = self.rows.partition_point(|row| row.address <= address);
        let row = self.rows[..after].last()?;
        let file = self.files.get(row.file as usize)?;
        Some((file, (row.line > 0).then_some(row.line)))
    }
}

fn is_function(ty: wasmparser::TypeRef) -> bool {
    matches!(
        ty,
        wasmparser::TypeRef::Func(_) | wasmparser::TypeRef::FuncExact(_)
    )
}

/// The number of steps that may still be taken. Data that is referred to many times is read as many times, so the size alone does
/// not bound the time.
struct Fuel(u64);

impl Fuel {
    fn of(bytes: u64) -> Fuel {
        Fuel(1_000_000 + 8 * bytes)
    }

    /// Uses so many steps. `None` if there are not enough.
    fn burn(&mut self, steps: usize) -> Option<()> {
        self.0 = self.0.checked_sub(steps as u64 + 1)?;
        Some(())
    }
}

/// A text of debug information. Reading it costs as many steps as it has bytes.
fn text<'a>(
    dwarf: &Dwarf<'a>,
    value: gimli::AttributeValue<Bytes<'a>>,
    fuel: &mut Fuel,
) -> Option<&'a [u8]> {
    use gimli::AttributeValue;
    let text = match value {
        AttributeValue::String(text) => text,
        AttributeValue::DebugStrRef(at) => dwarf.debug_str.get_str(at).ok()?,
        AttributeValue::DebugLineStrRef(at) => dwarf.debug_line_str.get_str(at).ok()?,
        _ => return None,
    };
    fuel.burn(text.len())?;
    Some(text.slice())
}
