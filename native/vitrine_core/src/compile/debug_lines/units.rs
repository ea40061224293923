//! Reads the directories in which units were compiled.

use std::collections::HashMap;

use gimli::{
    AttributeValue, DebugAbbrev, DebugAbbrevOffset, LittleEndian, Reader, Section, UnitHeader,
    UnitOffset,
};

use super::{Bytes, Dwarf, Fuel, text};

/// The directory of the unit that each line program belongs to, by the offset of the program.
pub(super) fn directories<'a>(dwarf: &Dwarf<'a>, fuel: &mut Fuel) -> HashMap<usize, &'a [u8]> {
    let mut directories = HashMap::new();
    let mut units = dwarf.units();
    while let Ok(Some(unit)) = units.next() {
        if fuel.burn(0).is_none() {
            break;
        }
        if let Some((program, directory)) = of_unit(dwarf, &unit, fuel) {
            directories.insert(program, directory);
        }
    }
    directories
}

fn of_unit<'a>(
    dwarf: &Dwarf<'a>,
    unit: &UnitHeader<Bytes<'a>>,
    fuel: &mut Fuel,
) -> Option<(usize, &'a [u8])> {
    let mut entry = unit.range_from(UnitOffset(unit.header_size())..).ok()?;
    let code = entry.read_uleb128().ok()?;
    // Only the abbreviation of the first entry is read. There may be many others, which would be read again for each unit.
    let mut abbreviation = abbreviation(dwarf, unit.debug_abbrev_offset(), code, fuel)?.to_vec();
    abbreviation.push(0);
    let table = DebugAbbrev::new(&abbreviation, LittleEndian);
    let table = table.abbreviations(DebugAbbrevOffset(0)).ok()?;
    let mut entries = unit.entries_raw(&table, None).ok()?;
    let abbreviation = entries.read_abbreviation().ok()??;
    let (mut program, mut directory) = (None, None);
    for attribute in abbreviation.attributes() {
        fuel.burn(0)?;
        let attribute = entries.read_attribute(*attribute).ok()?;
        match (attribute.name(), attribute.value()) {
            (gimli::DW_AT_stmt_list, AttributeValue::DebugLineRef(at)) => program = Some(at.0),
            (gimli::DW_AT_comp_dir, value) => directory = text(dwarf, value, fuel),
            _ => (),
        }
    }
    Some((program?, directory?))
}

/// The bytes of the abbreviation with this code.
fn abbreviation<'a>(
    dwarf: &Dwarf<'a>,
    table: DebugAbbrevOffset,
    code: u64,
    fuel: &mut Fuel,
) -> Option<&'a [u8]> {
    let all = dwarf.debug_abbrev.reader().slice().get(table.0..)?;
    let mut rest = gimli::EndianSlice::new(all, LittleEndian);
    loop {
        let begin = all.len() - rest.len();
        let found = rest.read_uleb128().ok()?;
        if found == 0 {
            return None;
        }
        let (_tag, _has_children) = (rest.read_uleb128().ok()?, rest.read_u8().ok()?);
        loop {
            fuel.burn(0)?;
            let (name, form) = (rest.read_uleb128().ok()?, rest.read_uleb128().ok()?);
            if form == u64::from(gimli::DW_FORM_implicit_const.0) {
                rest.read_sleb128().ok()?;
            }
            if (name, form) == (0, 0) {
                break;
            }
        }
        if found == code {
            return all.get(begin..all.len() - rest.len());
        }
    }
}
