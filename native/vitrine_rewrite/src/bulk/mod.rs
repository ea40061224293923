//! Splits long bulk instructions, so that they can be interrupted.
//!
//! The epoch is checked at loop headers and function entries, so a `memory.fill` of a gigabyte is one uninterruptible
//! step that holds its thread until it ends. [`make_interruptible`] rewrites a module so that each bulk instruction
//! works in bounded chunks within a loop, whose header has a check. The guest cannot observe the difference: results,
//! traps and their codes stay the same, and an instruction that is out of bounds still writes nothing.
//!
//! A bulk instruction that may be long becomes
//!
//! ```wat
//! local.tee $n            ;; the length is the last operand
//! local.get $n
//! i32.const 32768
//! i32.le_u
//! if (param i32 i32 i32)
//!   memory.fill           ;; a short one stays what it was
//! else
//!   call $vitrine.memory.fill
//! end
//! ```
//!
//! with one helper function for each instruction and the memories, tables, types or segments that it names
//! ([`helper`]). Instructions with a short constant length, or on something that is small by its type, stay as they
//! are.
//!
//! The pass covers `memory.{fill,copy,init}`, `table.{fill,copy,init}` and `array.{fill,copy,init_data,init_elem}`. It
//! does not cover `memory.grow` (which touches no page), `table.grow` and `array.new*`: they follow an allocation that
//! a limiter bounds, and the guest could observe the split.
//!
//! When a long instruction traps, its helper is the innermost frame of the backtrace.
//!
//! The bytes of everything else are copied as they are. No index shifts, because the helpers and their types come after
//! the module's own. Custom sections that describe offsets in the code (`.debug_*`, `metadata.code.*`, source maps,
//! relocations) are dropped, because they would be wrong.

mod assemble;
mod body;
mod emit;
mod helper;
mod helpers;
mod instruction;
mod operand;
mod reach;
mod splice;

use std::borrow::Cow;

use helpers::Helpers;

use crate::error::Error;
use crate::survey::Survey;

/// Rewrites the bulk instructions of `wasm` so that none of them runs for long. Borrows a module that needs no change.
///
/// The module should be valid. This function is not a validator: it copies the parts that it does not look at.
///
/// # Errors
///
/// Returns an error if `wasm` is malformed, or would exceed a limit that every module has (a million functions, for
/// example).
pub fn make_interruptible(wasm: &[u8]) -> Result<Cow<'_, [u8]>, Error> {
    split(wasm, Chunk::DEFAULT)
}

/// The most that one instruction may do without a check.
#[derive(Clone, Copy, Debug)]
pub struct Chunk {
    /// The most bytes of a memory.
    pub bytes: u32,
    /// The most elements of a table or an array.
    pub elements: u32,
}

impl Chunk {
    /// The default chunk. It takes some microseconds, or tens of them if it touches every page or element for the first
    /// time.
    const DEFAULT: Chunk = Chunk {
        bytes: 32 << 10,
        elements: 1 << 10,
    };
}

/// The same as [`make_interruptible`], with chunks of a given size. With tiny chunks a test needs no large memory.
///
/// # Errors
///
/// See [`make_interruptible`].
pub fn split(wasm: &[u8], chunk: Chunk) -> Result<Cow<'_, [u8]>, Error> {
    let survey = Survey::of(wasm)?;
    let mut helpers = Helpers::new(&survey, chunk);
    let mut bodies = Vec::with_capacity(survey.bodies.len());
    for (index, body) in survey.bodies.iter().enumerate() {
        let params = survey.type_of_body(index)?.params().len() as u32;
        bodies.push(body::split(body, params, &mut helpers)?);
    }
    if helpers.is_empty() {
        return Ok(Cow::Borrowed(wasm));
    }
    Ok(Cow::Owned(assemble::assemble(&survey, &bodies, &helpers)?))
}
