//! Replaces bytes of a body.

use anyhow::{Context, Result};
use wasm_encoder::{BlockType, Encode, Instruction, ValType};
use wasmparser::FunctionBody;

use super::body::Site;
use super::helpers::Helpers;

/// The number of locals, parameters included, that every engine accepts.
const MAX_LOCALS: u32 = 50_000;

/// The locals in which a site keeps the length while it compares it.
struct Scratch {
    i32: u32,
    i64: u32,
}

/// The body with its sites replaced; `None` if the comparison is to be `inline` and there is no room for its locals.
pub(super) fn splice(
    body: &FunctionBody<'_>,
    sites: &[Site],
    params: u32,
    helpers: &Helpers<'_, '_>,
    inline: bool,
) -> Result<Option<Vec<u8>>> {
    let bytes = body.as_bytes();
    let mut new = Vec::with_capacity(bytes.len() + 32 + sites.len() * 20);
    let mut done = 0;
    let mut scratch = None;
    if inline {
        let Some(added) = add_locals(body, params, &mut new, &mut done)? else {
            return Ok(None);
        };
        scratch = Some(added);
    }
    for site in sites {
        let before = bytes
            .get(done..site.bytes.start)
            .context("sites out of order")?;
        let original = bytes
            .get(site.bytes.clone())
            .context("a site beyond the body")?;
        new.extend_from_slice(before);
        replace(site, original, scratch.as_ref(), helpers, &mut new)?;
        done = site.bytes.end;
    }
    new.extend_from_slice(bytes.get(done..).context("a site beyond the body")?);
    Ok(Some(new))
}

/// Writes the declarations of locals with two more, and moves `done` to the first instruction.
fn add_locals(
    body: &FunctionBody<'_>,
    params: u32,
    new: &mut Vec<u8>,
    done: &mut usize,
) -> Result<Option<Scratch>> {
    let mut locals = body.get_locals_reader()?;
    let groups = locals.get_count();
    let from = locals.original_position() - body.range().start;
    let mut count = params;
    for _ in 0..groups {
        count = count
            .checked_add(locals.read()?.0)
            .context("too many locals")?;
    }
    if count.saturating_add(2) > MAX_LOCALS {
        return Ok(None);
    }
    *done = locals.original_position() - body.range().start;
    (groups + 2).encode(new);
    new.extend_from_slice(
        body.as_bytes()
            .get(from..*done)
            .context("locals beyond the body")?,
    );
    for ty in [ValType::I32, ValType::I64] {
        1_u32.encode(new);
        ty.encode(new);
    }
    Ok(Some(Scratch {
        i32: count,
        i64: count + 1,
    }))
}

fn replace(
    site: &Site,
    original: &[u8],
    scratch: Option<&Scratch>,
    helpers: &Helpers<'_, '_>,
    new: &mut Vec<u8>,
) -> Result<()> {
    let helper = helpers.get(site.helper)?;
    let call = Instruction::Call(helper.function_index);
    let Some(scratch) = scratch.filter(|_| !site.is_long) else {
        call.encode(new);
        return Ok(());
    };
    let (local, constant, compare) = match helper.length {
        ValType::I64 => (
            scratch.i64,
            Instruction::I64Const(helper.chunk.into()),
            Instruction::I64LeU,
        ),
        _ => (
            scratch.i32,
            Instruction::I32Const(helper.chunk.cast_signed()),
            Instruction::I32LeU,
        ),
    };
    let if_short = Instruction::If(BlockType::FunctionType(helper.type_index));
    for instruction in [
        Instruction::LocalTee(local),
        Instruction::LocalGet(local),
        constant,
        compare,
        if_short,
    ] {
        instruction.encode(new);
    }
    new.extend_from_slice(original);
    for instruction in [Instruction::Else, call, Instruction::End] {
        instruction.encode(new);
    }
    Ok(())
}
