//! Bulk instructions made interruptible.
//!
//! The epoch is checked at loop headers and function entries, so a `memory.fill` of a gigabyte is
//! one uninterruptible step that holds its thread for as long as it takes. [`make_interruptible`]
//! rewrites a module so that every bulk instruction works in bounded chunks within a loop, whose
//! header has a check. What the guest can observe stays: results, traps and their codes, and that
//! an instruction that is out of bounds has written nothing.
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
//! with one helper function for each instruction and the memories, tables, types or segments it
//! names ([`helper`]). Instructions with a short constant length, or on something that is small
//! by its type, are left alone.
//!
//! Covered are `memory.{fill,copy,init}`, `table.{fill,copy,init}` and
//! `array.{fill,copy,init_data,init_elem}`. One instruction each remain `memory.grow` (which
//! touches no page), `table.grow` and `array.new*`: they come after an allocation that a limiter
//! bounds, and cannot be split without becoming visible.
//!
//! Where a long instruction traps, its helper is the innermost frame of the backtrace.
//!
//! The bytes of everything else are copied as they are. No index shifts: the helpers and their
//! types come after the module's own. Custom sections that speak of offsets in the code
//! (`.debug_*`, `metadata.code.*`, source maps, relocations) are dropped, as they would lie.

mod assemble;
mod body;
mod emit;
mod helper;
mod helpers;
mod instruction;
mod names;
mod operand;
mod reach;
mod splice;
mod survey;

use std::borrow::Cow;

use anyhow::Result;

use helpers::Helpers;
use survey::Survey;

/// Rewrites the bulk instructions of `wasm` so that none of them runs for long; borrows what
/// needs no change.
///
/// The module should be a valid one. This is no validator: what it does not look at, it copies.
///
/// # Errors
///
/// When `wasm` is malformed, or what is added would go beyond the limits that every module has
/// (a million functions, say).
pub fn make_interruptible(wasm: &[u8]) -> Result<Cow<'_, [u8]>> {
    rewrite(wasm, Chunk::DEFAULT)
}

/// The most that one instruction may do.
#[derive(Clone, Copy, Debug)]
pub struct Chunk {
    /// Bytes of a memory.
    pub bytes: u32,
    /// Elements of a table or an array.
    pub elements: u32,
}

impl Chunk {
    /// Some microseconds each, tens of them where every page or every element is a first touch.
    const DEFAULT: Chunk = Chunk {
        bytes: 32 << 10,
        elements: 1 << 10,
    };
}

/// As [`make_interruptible`], with the chunks given: with tiny ones a test needs no big memory.
pub fn rewrite(wasm: &[u8], chunk: Chunk) -> Result<Cow<'_, [u8]>> {
    let survey = Survey::of(wasm)?;
    let mut helpers = Helpers::new(&survey, chunk);
    let mut bodies = Vec::with_capacity(survey.bodies.len());
    for (index, body) in survey.bodies.iter().enumerate() {
        bodies.push(body::rewrite(body, survey.params(index)?, &mut helpers)?);
    }
    if helpers.is_empty() {
        return Ok(Cow::Borrowed(wasm));
    }
    assemble::assemble(&survey, &bodies, &helpers).map(Cow::Owned)
}
