//! Reads the line programs, one after the other.

use std::collections::HashMap;

use gimli::{DebugLineOffset, FileEntry, LineProgramHeader, Reader, Section};

use super::{Bytes, Dwarf, Fuel, NONE, Row, text};
use crate::text;

/// The bytes of an address in a module.
const ADDRESS: u8 = 4;
/// The most files, by path. Large programs have ten thousand.
const MAX_FILES: usize = 100_000;
/// The most bytes of a program's header. It has the directories and files, each of which can be one byte and takes a hundred when
/// it is read. Programs with ten thousand files have a quarter of a megabyte.
const MAX_HEADER: usize = 512 << 10;

type Header<'a> = LineProgramHeader<Bytes<'a>>;

/// The rows of all programs, sorted by address, and the files that they refer to.
pub(super) fn read<'a>(
    dwarf: &Dwarf<'a>,
    directories: &HashMap<usize, &'a [u8]>,
    code_size: usize,
    fuel: &mut Fuel,
) -> (Vec<Row>, Vec<String>) {
    let mut table = Table {
        code_size: code_size as u64,
        ..Table::default()
    };
    let all = dwarf.debug_line.reader();
    let mut rest = *all;
    while !rest.is_empty() {
        let at = all.len() - rest.len();
        let length = rest
            .read_initial_length()
            .and_then(|(length, _)| rest.skip(length));
        if length.is_err() {
            break;
        }
        let directory = directories.get(&at).copied();
        if table.add(dwarf, at, directory, fuel).is_none() {
            break;
        }
    }
    table.rows.truncate(table.ended);
    // If one sequence ends where another begins, the end comes first.
    table
        .rows
        .sort_by_key(|row| (row.address, row.file != NONE));
    table.rows.shrink_to_fit();
    (table.rows, table.files)
}

#[derive(Default)]
struct Table {
    code_size: u64,
    rows: Vec<Row>,
    /// The number of rows of sequences that have ended.
    ended: usize,
    files: Vec<String>,
    places: HashMap<String, u32>,
}

impl Table {
    /// Adds the rows of a program. `None` if they are too many.
    fn add<'a>(
        &mut self,
        dwarf: &Dwarf<'a>,
        at: usize,
        directory: Option<&'a [u8]>,
        fuel: &mut Fuel,
    ) -> Option<()> {
        let mut rest = *dwarf.debug_line.reader();
        // A damaged program is ignored.
        if rest.skip(at).is_err() || header_length(rest).is_none_or(|bytes| bytes > MAX_HEADER) {
            return Some(());
        }
        let program = dwarf
            .debug_line
            .program(DebugLineOffset(at), ADDRESS, None, None);
        let Ok(program) = program else {
            return Some(());
        };
        let mut files = HashMap::new();
        let mut rows = program.rows();
        while let Ok(Some((header, row))) = rows.next_row() {
            let address = row.address();
            if row.end_sequence() {
                self.end(address)?;
                continue;
            }
            let file = match files.get(&row.file_index()) {
                Some(file) => *file,
                None => {
                    let file = header.file(row.file_index());
                    let path = file.map(|file| path(dwarf, header, file, directory, fuel));
                    let file = path.map_or(Some(NONE), |path| Some(self.file(path?)))?;
                    files.insert(row.file_index(), file);
                    file
                }
            };
            let line = row.line().map_or(0, |line| line.get() as u32);
            let address = u32::try_from(address).unwrap_or(u32::MAX);
            let row = Row {
                address,
                file,
                line,
            };
            match self.rows[self.ended..].last_mut() {
                Some(last) if last.address == address => *last = row,
                _ if u64::from(address) > self.code_size => (),
                _ => self.push(row)?,
            }
        }
        // A sequence without an end is ignored.
        self.rows.truncate(self.ended);
        Some(())
    }

    /// Ends a sequence. Drops it if it belongs to a function that the linker has left out: these are at address 0, where there is
    /// no function.
    fn end(&mut self, address: u64) -> Option<()> {
        let sequence = &self.rows[self.ended..];
        let first = sequence.first().map_or(0, |row| row.address);
        if first == 0 || u64::from(first) >= address || address > self.code_size {
            self.rows.truncate(self.ended);
            return Some(());
        }
        self.push(Row {
            address: address as u32,
            file: NONE,
            line: 0,
        })?;
        self.ended = self.rows.len();
        Some(())
    }

    /// Adds a row. `None` if there are more rows than the code has bytes.
    fn push(&mut self, row: Row) -> Option<()> {
        if self.rows.len() as u64 > self.code_size {
            return None;
        }
        self.rows.push(row);
        Some(())
    }

    fn file(&mut self, path: String) -> u32 {
        if let Some(place) = self.places.get(&path) {
            return *place;
        }
        if self.files.len() >= MAX_FILES {
            return NONE;
        }
        let place = self.files.len() as u32;
        self.files.push(path.clone());
        self.places.insert(path, place);
        place
    }
}

/// The bytes of a program's header after its length.
fn header_length(mut program: Bytes<'_>) -> Option<usize> {
    let (_length, format) = program.read_initial_length().ok()?;
    // In version 5, the sizes of addresses and segments come first.
    if program.read_u16().ok()? >= 5 {
        program.skip(2).ok()?;
    }
    program.read_length(format).ok()
}

/// The path of a file, cut to the length that is shown.
fn path<'a>(
    dwarf: &Dwarf<'a>,
    header: &Header<'a>,
    file: &FileEntry<Bytes<'a>>,
    unit: Option<&'a [u8]>,
    fuel: &mut Fuel,
) -> Option<String> {
    let own = match file.directory_index() {
        // This is the unit's directory, which newer line programs name, too.
        0 => None,
        _ => file.directory(header),
    };
    let unit = match header.encoding().version {
        ..5 => unit,
        _ => header.directory(0).and_then(|root| text(dwarf, root, fuel)),
    };
    let own = own.and_then(|own| text(dwarf, own, fuel));
    let name = text(dwarf, file.path_name(), fuel);
    let mut path = Vec::new();
    for part in [unit, own, name].into_iter().flatten() {
        fuel.burn(part.len())?;
        join(&mut path, part);
    }
    Some(text::shown(&path, text::NAME))
}

/// Adds a part to a path of any operating system. The part may be an absolute path.
fn join(path: &mut Vec<u8>, part: &[u8]) {
    let windows = |path: &[u8]| path.starts_with(b"\\") || path.get(1..3) == Some(b":\\");
    if part.starts_with(b"/") || windows(part) {
        path.clear();
    }
    let separator = if windows(path) { b'\\' } else { b'/' };
    if path.last().is_some_and(|last| *last != separator) {
        path.push(separator);
    }
    path.extend_from_slice(part);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_joined_by_the_rules_of_their_own_system() {
        let joined = |parts: &[&str]| {
            let mut path = Vec::new();
            parts
                .iter()
                .for_each(|part| join(&mut path, part.as_bytes()));
            String::from_utf8(path).unwrap()
        };
        assert_eq!(joined(&["/made", "src", "a.c"]), "/made/src/a.c");
        assert_eq!(joined(&["/made/", "/src", "a.c"]), "/src/a.c");
        assert_eq!(joined(&["C:\\made", "src", "a.c"]), "C:\\made\\src\\a.c");
        assert_eq!(joined(&["/made", "C:\\src", "a.c"]), "C:\\src\\a.c");
        assert_eq!(joined(&["a.c"]), "a.c");
    }
}
