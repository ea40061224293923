//! The helpers that a module needs, in the order in which it needs them.

use std::collections::HashMap;

use anyhow::{Context, Result, ensure};
use wasm_encoder::ValType;

use super::Chunk;
use super::instruction::Bulk;
use super::operand::Operand;
use crate::survey::Survey;

/// The number of types, and the number of functions, that every engine accepts.
const MAX_TYPES: u32 = 1_000_000;
const MAX_FUNCTIONS: u32 = 1_000_000;
/// The most helpers. A helper is about 40 times as long as its instruction. This limit bounds the code that is compiled
/// for a module with many different instructions. Real modules need a dozen helpers.
const MAX_HELPERS: usize = 10_000;

/// A function that does the work of `bulk` in chunks.
pub(super) struct Helper {
    pub(super) bulk: Bulk,
    pub(super) operands: Vec<Operand>,
    /// The type of the length, the last operand.
    pub(super) length: ValType,
    pub(super) chunk: u32,
    pub(super) type_index: u32,
    pub(super) function_index: u32,
}

impl Helper {
    /// The function's index and its name.
    pub(super) fn name(&self) -> (u32, &'static str) {
        (self.function_index, self.bulk.name())
    }
}

pub(super) struct Helpers<'s, 'a> {
    survey: &'s Survey<'a>,
    chunk: Chunk,
    /// The position of an instruction's helper in `list`; `None` if the instruction is always short.
    known: HashMap<Bulk, Option<usize>>,
    list: Vec<Helper>,
}

impl<'s, 'a> Helpers<'s, 'a> {
    pub(super) fn new(survey: &'s Survey<'a>, chunk: Chunk) -> Self {
        Helpers {
            survey,
            chunk,
            known: HashMap::new(),
            list: Vec::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &Helper> {
        self.list.iter()
    }

    /// The most bytes or elements that `bulk` processes without a check.
    pub(super) fn chunk(&self, bulk: Bulk) -> u32 {
        if bulk.is_bytes() {
            self.chunk.bytes
        } else {
            self.chunk.elements
        }
    }

    /// The helper of `bulk`, if it may take long.
    pub(super) fn of(&mut self, bulk: Bulk) -> Result<Option<usize>> {
        if let Some(known) = self.known.get(&bulk) {
            return Ok(*known);
        }
        let long = bulk.longest(self.survey)? > u64::from(self.chunk(bulk));
        let index = if long { Some(self.add(bulk)?) } else { None };
        self.known.insert(bulk, index);
        Ok(index)
    }

    /// The helper at an index that [`Self::of`] gave.
    pub(super) fn get(&self, index: usize) -> Result<&Helper> {
        self.list.get(index).context("there is no such helper")
    }

    fn add(&mut self, bulk: Bulk) -> Result<usize> {
        let index = self.list.len();
        ensure!(
            index < MAX_HELPERS,
            "the module has too many different bulk instructions"
        );
        let functions = self.survey.function_count();
        let operands = bulk.operands(self.survey)?;
        self.list.push(Helper {
            bulk,
            length: operands
                .last()
                .context("an instruction without a length")?
                .ty,
            operands,
            chunk: self.chunk(bulk),
            type_index: nth(self.survey.types.len() + index, MAX_TYPES, "types")?,
            function_index: nth(functions + index, MAX_FUNCTIONS, "functions")?,
        });
        Ok(index)
    }
}

fn nth(index: usize, most: u32, what: &str) -> Result<u32> {
    let index = u32::try_from(index).ok().filter(|index| *index < most);
    index.with_context(|| format!("the module has no room for more {what}"))
}
