//! Replaces the long bulk instructions in the body of one function.

use std::ops::Range;

use anyhow::{Result, ensure};
use wasmparser::{FunctionBody, Operator};

use super::helpers::Helpers;
use super::instruction::Bulk;
use super::splice::splice;

/// The largest body that every engine accepts.
const MAX_SIZE: usize = 7_654_321;

/// An instruction that is to be replaced.
pub(super) struct Site {
    /// Its bytes, within the body.
    pub(super) bytes: Range<usize>,
    pub(super) helper: usize,
    /// Whether the length is a constant, and too long.
    pub(super) is_long: bool,
}

/// The new body, if it changes. The function has `params` parameters.
pub(super) fn split(
    body: &FunctionBody<'_>,
    params: u32,
    helpers: &mut Helpers<'_, '_>,
) -> Result<Option<Vec<u8>>> {
    let bytes = body.as_bytes();
    // Every bulk instruction begins with one of these bytes, so most functions need not be decoded.
    if !bytes.iter().any(|byte| matches!(byte, 0xfb | 0xfc)) {
        return Ok(None);
    }
    let sites = find(body, helpers)?;
    if sites.is_empty() {
        return Ok(None);
    }
    let mut new = splice(body, &sites, params, helpers, true)?;
    if new.as_ref().is_none_or(|new| new.len() > MAX_SIZE) {
        new = splice(body, &sites, params, helpers, false)?;
    }
    ensure!(
        new.as_ref().is_some_and(|new| new.len() <= MAX_SIZE),
        "a function is too large"
    );
    Ok(new)
}

fn find(body: &FunctionBody<'_>, helpers: &mut Helpers<'_, '_>) -> Result<Vec<Site>> {
    let start = body.range().start;
    let mut sites = Vec::new();
    let mut operators = body.get_operators_reader()?;
    // The constant that the previous instruction left on the stack: the length of a bulk instruction.
    let mut constant = None;
    while !operators.eof() {
        let from = operators.original_position() - start;
        let operator = operators.read()?;
        if let Some(bulk) = Bulk::of(&operator)
            && constant.is_none_or(|length| length > u64::from(helpers.chunk(bulk)))
            && let Some(helper) = helpers.of(bulk)?
        {
            sites.push(Site {
                bytes: from..operators.original_position() - start,
                helper,
                is_long: constant.is_some(),
            });
        }
        constant = match operator {
            Operator::I32Const { value } => Some(u64::from(value.cast_unsigned())),
            Operator::I64Const { value } => Some(value.cast_unsigned()),
            _ => None,
        };
    }
    Ok(sites)
}
