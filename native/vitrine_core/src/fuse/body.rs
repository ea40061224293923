//! The body of one function, with its calls of accessors replaced.

use std::collections::HashSet;

use anyhow::{Context, Result};
use wasm_encoder::reencode::Reencode;
use wasm_encoder::{Function, ValType};
use wasmparser::{FuncType, FunctionBody, Operator};

use super::copy_loop::{self, Transfer};
use super::helpers::Helpers;
use super::inline::{Scratch, inline};
use super::piece::head;
use super::shift::Shift;
use super::survey::Survey;

/// As many locals, parameters included, as every engine accepts.
const MAX_LOCALS: usize = 50_000;

const CALL: u8 = 0x10;

/// The new body, if the old one calls accessors. The function is of type `ty`.
pub(super) fn rewrite(
    body: &FunctionBody<'_>,
    ty: &FuncType,
    survey: &Survey<'_>,
    helpers: &mut Helpers<'_, '_>,
    copy_loops: bool,
) -> Result<Option<Function>> {
    if !may_call(body, survey) {
        return Ok(None);
    }
    let mut shift = Shift::of(survey);
    let Some(Locals { declared, types }) = locals(body, ty, &mut shift)? else {
        return Ok(None);
    };
    let scratch = Scratch::from(types.len() as u32);
    let mut function = Function::new(declared);
    let (mut operators, mut found) = (body.get_operators_reader()?, false);
    // What the copy loops so far transfer, each kind once, and the calls in them.
    let (mut copied, mut left) = (Vec::new(), HashSet::new());
    while !operators.eof() {
        let at = operators.original_position();
        match operators.read()? {
            Operator::Call { function_index }
                if survey.accessor(function_index).is_some() && !left.contains(&at) =>
            {
                let accessor = survey.accessor(function_index).context("no accessor")?;
                let (kernel, sink) = (survey.kernel_memory(), &mut function.instructions());
                match helpers.access(accessor, function_index) {
                    Some(access) => {
                        sink.call(access);
                    }
                    None => inline(accessor, function_index, kernel, scratch, sink),
                }
                found = true;
            }
            operator => {
                let copy = match operator {
                    Operator::Loop { blockty } if copy_loops && copy_loop::may_be(blockty) => {
                        copy_loop::recognise(operators.clone(), survey, &types)
                            .filter(|copy| !is_for_the_rest(copy.copy.transfer, &copied))
                    }
                    _ => None,
                };
                function.instruction(&shift.instruction(operator)?);
                if let Some(copy) = copy
                    && let Some(turns) = helpers.turns(&copy.copy)
                {
                    head(&copy, turns, &mut function.instructions());
                    if !copied.contains(&copy.copy.transfer) {
                        copied.push(copy.copy.transfer);
                    }
                    left.insert(copy.call);
                    found = true;
                }
            }
        }
    }
    Ok(found.then_some(function))
}

/// Whether a loop certainly has few turns: it copies the bytes that are left by one for words.
fn is_for_the_rest(transfer: Transfer, copied: &[Transfer]) -> bool {
    let words = Transfer {
        width: 8,
        ..transfer
    };
    transfer.width == 1 && copied.contains(&words)
}

/// The locals of a function.
struct Locals {
    /// What the body declares, and the scratch ones.
    declared: Vec<(u32, ValType)>,
    /// The types of all but the scratch ones, parameters included.
    types: Vec<ValType>,
}

/// The locals of a body in a function of a type, unless they become too many.
fn locals(body: &FunctionBody<'_>, ty: &FuncType, shift: &mut Shift) -> Result<Option<Locals>> {
    let mut types = Vec::new();
    for ty in ty.params() {
        types.push(shift.val_type(*ty)?);
    }
    let mut declared = Vec::new();
    for group in body.get_locals_reader()? {
        let (more, ty) = group?;
        let ty = shift.val_type(ty)?;
        if types.len() + more as usize > MAX_LOCALS {
            return Ok(None);
        }
        declared.push((more, ty));
        types.resize(types.len() + more as usize, ty);
    }
    declared.extend(Scratch::TYPES.map(|ty| (1, ty)));
    let fit = types.len() + Scratch::TYPES.len() <= MAX_LOCALS;
    Ok(fit.then_some(Locals { declared, types }))
}

/// Whether there are bytes in the body that may be a call of an accessor. Few bodies have any, and the
/// others need not be looked into.
pub(super) fn may_call(body: &FunctionBody<'_>, survey: &Survey<'_>) -> bool {
    let mut pairs = body.as_bytes().windows(2);
    pairs.any(|pair| pair[0] == CALL && survey.accessor_begins_with(pair[1]))
}
