//! What a module asks of the compiler. Parts of Cranelift and of its register allocator take time that
//! grows with the square or the cube of how deep loops are nested, how many values live how long, and
//! how many go around at once; so a few kilobytes can be minutes of work that nobody can interrupt,
//! or gigabytes of memory. What is far from all that compilers make is refused before.

mod bounds;
mod contents;
mod cost;
mod locals;
mod meter;
#[cfg(test)]
mod tests;
pub mod text;

use wasmparser::Validator;
use wasmparser::{CompositeInnerType, Parser, Payload, TypeSectionReader, ValidPayload};

use crate::error::Error;
use crate::features::FEATURES;
use bounds::Effort;
use contents::Contents;
use meter::Meter;

/// Refuses a module that would take the compiler much longer than its size tells; for any other
/// about how long it takes, in microseconds of a processor's time. What passes is valid. Code that counts fuel has
/// more to do at each branch.
///
/// # Errors
///
/// When it would, and when it is not valid.
pub fn check(wasm: &[u8], counts_fuel: bool) -> Result<u64, Error> {
    let mut validator = Validator::new_with_features(FEATURES);
    let mut meter = Meter::new(counts_fuel);
    let mut contents = Contents::default();
    let mut all = Effort::default();
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload?;
        if let ValidPayload::Func(function, body) = validator.payload(&payload)? {
            all.add(&meter.measure(function, &body)?);
        }
        contents.add(&payload, wasm.len())?;
        if let Payload::TypeSection(types) = payload {
            all.add(&trampolines(types)?);
        }
    }
    all.check_module()?;
    Ok(all.microseconds() + contents.microseconds())
}

/// What the types of functions ask: there is code to call those of each type from the host, and the
/// host from them.
fn trampolines(types: TypeSectionReader<'_>) -> Result<Effort, Error> {
    let mut effort = Effort {
        bytes: types.range().len() as u64,
        ..Effort::default()
    };
    for group in types {
        for ty in group?.types() {
            if let CompositeInnerType::Func(ty) = &ty.composite_type.inner {
                effort.pass(ty.params().len());
                effort.pass(ty.results().len());
            }
        }
    }
    Ok(effort)
}
