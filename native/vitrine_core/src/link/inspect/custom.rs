//! Reads the custom sections of a module. They only inform people, so damaged ones are ignored.

use wasmparser::{
    BinaryReaderError, KnownCustom, Name, NameSectionReader, Parser, Payload,
    ProducersSectionReader,
};

use super::{Inspection, Producers};

type Result<T> = std::result::Result<T, BinaryReaderError>;

/// Puts the module's own name and its producers into an inspection.
pub(super) fn read(wasm: &[u8], found: &mut Inspection) -> Result<()> {
    for payload in Parser::new(0).parse_all(wasm) {
        let Payload::CustomSection(section) = payload? else {
            continue;
        };
        match section.as_known() {
            KnownCustom::Name(names) => found.name = module_name(names).or(found.name.take()),
            KnownCustom::Producers(fields) => {
                found.producers = producers(fields).unwrap_or_default();
            }
            _ => (),
        }
    }
    Ok(())
}

fn module_name(names: NameSectionReader<'_>) -> Option<String> {
    names.into_iter().find_map(|name| match name {
        Ok(Name::Module { name, .. }) => Some(name.to_string()),
        _ => None,
    })
}

fn producers(fields: ProducersSectionReader<'_>) -> Result<Vec<Producers>> {
    let fields = fields.into_iter().map(|field| {
        let field = field?;
        let values = field.values.into_iter().map(|value| {
            let value = value?;
            Ok((value.name.to_string(), value.version.to_string()))
        });
        Ok((field.name.to_string(), values.collect::<Result<_>>()?))
    });
    fields.collect()
}
