//! Replaces the calls of accessors in the body of one function, and shifts the indices of memories. Everything else is
//! copied as it is.

use anyhow::{Context, Result};
use wasm_encoder::Function;
use wasm_encoder::reencode::Reencode;
use wasmparser::{FunctionBody, Operator};

use super::helpers::Helpers;
use super::inline::{Scratch, inline};
use super::piece;
use super::shift::Shift;
use super::sites::{BodySites, Sites};
use super::target::Target;

/// The new body. `there` has its sites, if it has any.
pub(super) fn fused(
    body: &FunctionBody<'_>,
    there: Option<&BodySites>,
    target: &Target<'_>,
    sites: &Sites,
    helpers: &Helpers<'_, '_>,
) -> Result<Function> {
    let (mut shift, kernel) = (Shift::of(target), target.kernel_memory());
    let mut declared = Vec::new();
    for group in body.get_locals_reader()? {
        let (count, ty) = group?;
        declared.push((count, shift.val_type(ty)?));
    }
    declared.extend(there.map(|_| Scratch::TYPES).into_iter().flatten());
    let mut function = Function::new(declared);

    let nothing = BodySites::default();
    let there = there.unwrap_or(&nothing);
    let scratch = Scratch::from(there.locals);
    let mut loops = there.loops.iter().peekable();
    let mut operators = body.get_operators_reader()?;
    let mut copied = operators.original_position();
    while !operators.eof() {
        let at = operators.original_position();
        if let Some(site) = loops.next_if(|site| site.at == at) {
            function.raw(bytes(body, copied, at)?);
            copied = at;
            let (form, sink) = (&sites.forms[site.form], &mut function.instructions());
            match helpers.iterations(site.form) {
                Some(iterations) => piece::call(&form.copy, iterations, &site.locals, sink),
                None => piece::inline(&form.copy, kernel, &site.locals, scratch, sink),
            }
        }
        match operators.read()? {
            Operator::Call { function_index }
                if target.accessor(function_index).is_some() && !there.left.contains(&at) =>
            {
                let accessor = target.accessor(function_index).context("no accessor")?;
                function.raw(bytes(body, copied, at)?);
                let sink = &mut function.instructions();
                match helpers.access(function_index) {
                    Some(access) => {
                        sink.call(access);
                    }
                    None => inline(accessor, function_index, kernel, scratch, sink),
                }
            }
            operator if target.has_own_memory() && may_name_memory(body, at) => {
                function.raw(bytes(body, copied, at)?);
                function.instruction(&shift.instruction(operator)?);
            }
            _ => continue,
        }
        copied = operators.original_position();
    }
    function.raw(bytes(body, copied, body.range().end)?);
    Ok(function)
}

/// The bytes of a body between two offsets in the module.
fn bytes(body: &FunctionBody<'_>, from: usize, to: usize) -> Result<impl Iterator<Item = u8>> {
    let start = body.range().start;
    let bytes = body.as_bytes().get(from - start..to - start);
    Ok(bytes.context("a place beyond the body")?.iter().copied())
}

/// Returns true if the instruction at `at` may name a memory, judged by its first byte. Loads, stores, `memory.size`,
/// `memory.grow`, and instructions with a prefix may name one.
fn may_name_memory(body: &FunctionBody<'_>, at: usize) -> bool {
    let first = body.as_bytes().get(at - body.range().start);
    matches!(first, Some(0x28..=0x40 | 0xFB..=0xFF))
}
