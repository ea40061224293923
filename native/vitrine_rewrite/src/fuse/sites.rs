//! Finds where a module calls accessors and copies, before any of it is rewritten: the number of occurrences of an
//! accessor or of a form of copy loops decides where its code goes.

use std::collections::HashSet;

use anyhow::Result;
use wasm_encoder::ValType;
use wasm_encoder::reencode::Reencode;
use wasmparser::{FuncType, FunctionBody, Operator};

use super::copy_loop::{self, CopyLoop, Found, Transfer};
use super::inline::Scratch;
use super::shift::Shift;
use super::target::Target;

/// The number of locals, parameters included, that every engine accepts.
const MAX_LOCALS: usize = 50_000;

/// The most forms of copy loops. A module from a compiler has a handful. This limit keeps a module with very many forms
/// from being slow to compile.
const MAX_FORMS: usize = 256;

const CALL: u8 = 0x10;

pub(super) struct Sites {
    /// For each imported accessor, the number of its calls outside of copy loops.
    pub(super) calls: Vec<u32>,
    pub(super) forms: Vec<Form>,
    /// The sites of each body; `None` for a body that stays as it is.
    pub(super) bodies: Vec<Option<BodySites>>,
}

/// A form of copy loops.
pub(super) struct Form {
    pub(super) copy: CopyLoop,
    /// The number of loops of this form.
    pub(super) loops: u32,
}

#[derive(Default)]
pub(super) struct BodySites {
    /// The number of locals, parameters included.
    pub(super) locals: u32,
    /// The copy loops, in order.
    pub(super) loops: Vec<LoopSite>,
    /// The offsets of the accessor calls in copy loops, which stay.
    pub(super) left: HashSet<usize>,
}

/// A copy loop.
pub(super) struct LoopSite {
    /// The offset of its body.
    pub(super) at: usize,
    /// The index of its form.
    pub(super) form: usize,
    /// The locals that are the parameters of the form.
    pub(super) locals: Vec<u32>,
}

impl Sites {
    /// Finds the sites of a module. `copy_loops` says whether to look for copy loops.
    pub(super) fn of(target: &Target<'_>, copy_loops: bool) -> Result<Self> {
        let mut sites = Sites {
            calls: vec![0; target.imported()],
            forms: Vec::new(),
            bodies: Vec::with_capacity(target.bodies().len()),
        };
        for (index, body) in target.bodies().iter().enumerate() {
            let found = match may_call(body, target) {
                true => sites.find(body, target.function_type(index)?, target, copy_loops)?,
                false => None,
            };
            sites.bodies.push(found);
        }
        Ok(sites)
    }

    /// Finds the sites of a body, if it has any. `ty` is the function's type.
    fn find(
        &mut self,
        body: &FunctionBody<'_>,
        ty: &FuncType,
        target: &Target<'_>,
        copy_loops: bool,
    ) -> Result<Option<BodySites>> {
        let Some(locals) = locals(body, ty, target)? else {
            return Ok(None);
        };
        let mut found = BodySites {
            locals: locals.len() as u32,
            ..BodySites::default()
        };
        // The kinds of transfers of the copy loops so far.
        let (mut copied, mut calls) = (Vec::new(), false);
        let mut operators = body.get_operators_reader()?;
        while !operators.eof() {
            let at = operators.original_position();
            match operators.read()? {
                Operator::Call { function_index }
                    if target.accessor(function_index).is_some() && !found.left.contains(&at) =>
                {
                    self.calls[function_index as usize] += 1;
                    calls = true;
                }
                Operator::Loop { blockty } if copy_loops && copy_loop::may_be(blockty) => {
                    let at = operators.original_position();
                    if let Some(copy) = copy_loop::recognise(operators.clone(), target, &locals)
                        && !is_for_the_rest(copy.copy.transfer, &copied)
                    {
                        self.add(at, copy, &mut found, &mut copied);
                    }
                }
                _ => (),
            }
        }
        Ok((calls || !found.loops.is_empty()).then_some(found))
    }

    /// Adds a copy loop, unless there are too many forms.
    fn add(
        &mut self,
        at: usize,
        Found { copy, locals, call }: Found,
        found: &mut BodySites,
        copied: &mut Vec<Transfer>,
    ) {
        let transfer = copy.transfer;
        let known = self.forms.iter().position(|form| form.copy == copy);
        let form = known.unwrap_or(self.forms.len());
        match known {
            Some(_) => self.forms[form].loops += 1,
            None if form == MAX_FORMS => return,
            None => self.forms.push(Form { copy, loops: 1 }),
        }
        found.loops.push(LoopSite { at, form, locals });
        found.left.insert(call);
        if !copied.contains(&transfer) {
            copied.push(transfer);
        }
    }
}

/// Returns true if a loop certainly has few iterations, because it copies the bytes that a loop over words leaves.
fn is_for_the_rest(transfer: Transfer, copied: &[Transfer]) -> bool {
    let words = Transfer {
        width: 8,
        ..transfer
    };
    transfer.width == 1 && copied.contains(&words)
}

/// The types of the locals of a body; `None` if there is no room for more locals.
fn locals(
    body: &FunctionBody<'_>,
    ty: &FuncType,
    target: &Target<'_>,
) -> Result<Option<Vec<ValType>>> {
    let (mut shift, mut types) = (Shift::of(target), Vec::new());
    for ty in ty.params() {
        types.push(shift.val_type(*ty)?);
    }
    for group in body.get_locals_reader()? {
        let (more, ty) = group?;
        if types.len() + more as usize + Scratch::COUNT > MAX_LOCALS {
            return Ok(None);
        }
        types.resize(types.len() + more as usize, shift.val_type(ty)?);
    }
    Ok(Some(types))
}

/// Returns true if the body has bytes that may be a call of an accessor. Few bodies have any, and the others need not
/// be decoded.
fn may_call(body: &FunctionBody<'_>, target: &Target<'_>) -> bool {
    let mut pairs = body.as_bytes().windows(2);
    pairs.any(|pair| pair[0] == CALL && target.accessor_begins_with(pair[1]))
}
