//! The body of one function, with its calls of accessors replaced.

use anyhow::{Context, Result};
use wasm_encoder::Function;
use wasm_encoder::reencode::Reencode;
use wasmparser::{FunctionBody, Operator};

use super::copy_loop;
use super::inline::{Scratch, inline};
use super::piece::piece;
use super::shift::Shift;
use super::survey::Survey;

/// As many locals, parameters included, as every engine accepts.
const MAX_LOCALS: u32 = 50_000;

const CALL: u8 = 0x10;

/// The new body, if the old one calls accessors. The function has `params` parameters.
pub(super) fn rewrite(
    body: &FunctionBody<'_>,
    params: u32,
    survey: &Survey<'_>,
    copy_loops: bool,
) -> Result<Option<Function>> {
    if !may_call(body, survey) {
        return Ok(None);
    }
    let mut shift = Shift::of(survey);
    let (mut locals, mut count) = (Vec::new(), params);
    for group in body.get_locals_reader()? {
        let (more, ty) = group?;
        count = count.checked_add(more).context("too many locals")?;
        locals.push((more, shift.val_type(ty)?));
    }
    let scratch = Scratch::from(count);
    if count > MAX_LOCALS - Scratch::TYPES.len() as u32 {
        return Ok(None);
    }
    locals.extend(Scratch::TYPES.map(|ty| (1, ty)));
    let mut function = Function::new(locals);
    let (mut operators, mut found) = (body.get_operators_reader()?, false);
    while !operators.eof() {
        match operators.read()? {
            Operator::Call { function_index } if survey.accessor(function_index).is_some() => {
                let accessor = survey.accessor(function_index).context("no accessor")?;
                let (kernel, sink) = (survey.kernel_memory(), &mut function.instructions());
                inline(accessor, function_index, kernel, scratch, sink);
                found = true;
            }
            operator => {
                let copy = match operator {
                    Operator::Loop { blockty } if copy_loops && copy_loop::is_plain(blockty) => {
                        copy_loop::recognise(operators.clone(), survey)
                    }
                    _ => None,
                };
                function.instruction(&shift.instruction(operator)?);
                if let Some(copy) = copy {
                    let (kernel, sink) = (survey.kernel_memory(), &mut function.instructions());
                    piece(&copy, kernel, scratch, sink);
                }
            }
        }
    }
    Ok(found.then_some(function))
}

/// Whether there are bytes in the body that may be a call of an accessor. Few bodies have any, and the
/// others need not be looked into.
fn may_call(body: &FunctionBody<'_>, survey: &Survey<'_>) -> bool {
    let mut pairs = body.as_bytes().windows(2);
    pairs.any(|pair| pair[0] == CALL && survey.accessor_begins_with(pair[1]))
}
