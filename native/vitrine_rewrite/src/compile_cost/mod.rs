//! Estimates what compiling a module costs, and refuses modules that cost too much.
//!
//! Parts of Cranelift and of its register allocator take time that grows with the square or the cube of the depth of
//! loops, of the number of values and how long they live, and of the number of values that loops carry. So a few
//! kilobytes can mean minutes of work that cannot be interrupted, or gigabytes of memory. A module that is far from
//! anything that compilers produce is refused before it is compiled.

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
use bounds::Counts;
use contents::Contents;
use meter::Meter;

/// The estimated time of compiling a module, in microseconds of a processor's time. A module that passes is valid. Code
/// that counts fuel has more to do at each branch.
///
/// # Errors
///
/// Returns an error if the module is not valid, or would take the compiler much longer than its size suggests.
pub fn check(wasm: &[u8], counts_fuel: bool) -> Result<u64, Error> {
    let mut validator = Validator::new_with_features(FEATURES);
    let mut meter = Meter::new(counts_fuel);
    let mut contents = Contents::default();
    let mut all = Counts::default();
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

/// The cost of function types: the compiler makes code for each of them, for calls from the host and to the host.
fn trampolines(types: TypeSectionReader<'_>) -> Result<Counts, Error> {
    let mut counts = Counts {
        bytes: types.range().len() as u64,
        ..Counts::default()
    };
    for group in types {
        for ty in group?.types() {
            if let CompositeInnerType::Func(ty) = &ty.composite_type.inner {
                counts.add_signature(ty.params().len());
                counts.add_signature(ty.results().len());
            }
        }
    }
    Ok(counts)
}
