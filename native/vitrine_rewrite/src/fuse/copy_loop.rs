//! Finds the loops that only copy: what compilers make of the copying loops of PDKs.
//!
//! One way through such a loop, from its beginning back there, has no effects but one transfer, a
//! load and a store of the same width of which one is an accessor's, and additions of constants to
//! locals. What so many turns on this way do to the memories is one copy, and what they do to the
//! locals one addition each. The conditions on which turns go this way are comparisons of what they
//! change with what they leave: it can be told beforehand how many turns at least will.
//!
//! The other ways, out of the loop or to the turns for what is left, may do anything. Whatever else
//! there is on this one makes the loop no copy loop, which costs nothing but speed.

use wasm_encoder::ValType;
use wasmparser::{BlockType, Operator, OperatorsReader};

use super::accessor::Accessor;
use super::condition::{Comparison, Condition};
use super::linear::{Linear, wrap};
use super::target::Target;
use super::turn::{Access, Called, Turn, Value};

/// More instructions than are looked at in any copy loop.
const MAX_INSTRUCTIONS: usize = 256;

/// More than any local goes on by in a turn.
const MAX_STEP: u64 = 1 << 16;

/// From where to where the bytes are copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Direction {
    /// From the kernel's heap.
    Load,
    /// From the input.
    Input,
    /// To the kernel's heap.
    Store,
}

/// What one turn copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Transfer {
    pub(super) direction: Direction,
    /// How many bytes: 1 or 8.
    pub(super) width: u32,
    /// The guest's memory, by its index before the kernel's is added.
    pub(super) memory: u32,
}

/// A loop that only copies, as a function of the locals that matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CopyLoop {
    pub(super) transfer: Transfer,
    /// The accessor's offset, an `i64`.
    pub(super) kernel: Linear,
    /// The guest's address, an `i32`, and what the instruction adds to it.
    pub(super) guest: Linear,
    pub(super) guest_offset: u64,
    /// What must hold in a turn for it to go its way.
    pub(super) within: Vec<Condition>,
    /// What must hold for another turn, if that is not certain then.
    pub(super) again: Option<Condition>,
    /// The types of the locals.
    pub(super) params: Vec<ValType>,
    /// What a turn adds to the first of them.
    pub(super) steps: Vec<i64>,
}

impl CopyLoop {
    /// The same of other locals.
    pub(super) fn renamed(&self, rename: &mut impl FnMut(u32) -> u32) -> Self {
        let mut conditions = |condition: &Condition| condition.renamed(rename);
        CopyLoop {
            within: self.within.iter().map(&mut conditions).collect(),
            again: self.again.as_ref().map(conditions),
            kernel: self.kernel.renamed(rename),
            guest: self.guest.renamed(rename),
            ..self.clone()
        }
    }
}

/// A loop that was found.
pub(super) struct Found {
    pub(super) copy: CopyLoop,
    /// The locals that matter.
    pub(super) locals: Vec<u32>,
    /// Where the call of the accessor is.
    pub(super) call: usize,
}

/// Whether a loop has no parameters, as all copy loops.
pub(super) fn may_be(ty: BlockType) -> bool {
    matches!(ty, BlockType::Empty | BlockType::Type(_))
}

/// The copy loop whose body follows, if it is one, in a function with locals of these types.
pub(super) fn recognise(
    operators: OperatorsReader<'_>,
    target: &Target<'_>,
    locals: &[ValType],
) -> Option<Found> {
    let way = Way {
        operators,
        turn: Turn::default(),
        blocks: Vec::new(),
    };
    let mut left = MAX_INSTRUCTIONS;
    way.follow(target, locals, &mut left)
}

/// A way through the loop, up to some place.
#[derive(Clone)]
struct Way<'a> {
    operators: OperatorsReader<'a>,
    turn: Turn,
    /// The blocks around the place, within the loop: how high the stack is outside of them.
    blocks: Vec<usize>,
}

impl Way<'_> {
    /// Follows it to its end. `left` says how many instructions may still be looked at.
    fn follow(
        mut self,
        target: &Target<'_>,
        locals: &[ValType],
        left: &mut usize,
    ) -> Option<Found> {
        loop {
            *left = left.checked_sub(1)?;
            let at = self.operators.original_position();
            match self.operators.read().ok()? {
                Operator::Block {
                    blockty: BlockType::Empty,
                } => self.enter(),
                Operator::If {
                    blockty: BlockType::Empty,
                } => {
                    let condition = self.turn.condition()?;
                    self.turn.within.push(condition);
                    self.enter();
                }
                Operator::Else => self.leave(0, left)?,
                Operator::End => {
                    self.blocks.pop()?;
                }
                Operator::Br { relative_depth } if self.is_loop(relative_depth) => {
                    return finish(self.turn, None, target, locals);
                }
                Operator::Br { relative_depth } => self.leave(relative_depth, left)?,
                Operator::BrIf { relative_depth } => {
                    let condition = self.turn.condition()?;
                    if self.is_loop(relative_depth) {
                        return finish(self.turn, Some(condition), target, locals);
                    }
                    let mut other = self.clone();
                    if other.leave(relative_depth, left).is_some() {
                        other.turn.within.push(condition);
                        let found = other.follow(target, locals, left);
                        if found.is_some() {
                            return found;
                        }
                    }
                    self.turn.within.push(condition.negated());
                }
                operator => self.turn.follow(&operator, at, target)?,
            }
        }
    }

    /// Whether a branch of this depth is to the beginning of the loop.
    fn is_loop(&self, depth: u32) -> bool {
        depth as usize == self.blocks.len()
    }

    fn enter(&mut self) {
        self.blocks.push(self.turn.height());
    }

    /// Goes to behind the end of a block around the place; nothing if that is outside of the loop.
    fn leave(&mut self, depth: u32, left: &mut usize) -> Option<()> {
        let outer = self.blocks.len().checked_sub(depth as usize + 1)?;
        self.turn.unwind(*self.blocks.get(outer)?);
        self.blocks.truncate(outer);
        let mut depth = depth + 1;
        while depth > 0 {
            *left = left.checked_sub(1)?;
            match self.operators.read().ok()? {
                Operator::Block { .. }
                | Operator::Loop { .. }
                | Operator::If { .. }
                | Operator::TryTable { .. } => depth += 1,
                Operator::End => depth -= 1,
                // Of an exception handling that is not in use any more, with ends of its own.
                Operator::Try { .. } => return None,
                _ => (),
            }
        }
        Some(())
    }
}

/// The loop of whose turns this is one, if it is a copy loop.
fn finish(
    turn: Turn,
    again: Option<Comparison>,
    target: &Target<'_>,
    locals: &[ValType],
) -> Option<Found> {
    let Called {
        accessor,
        offset: kernel,
        at: call,
    } = turn.kernel?;
    let Access {
        address: guest,
        memarg,
        stores,
    } = turn.guest?;
    let (direction, width) = match accessor {
        Accessor::LoadU8 => (Direction::Load, 1),
        Accessor::LoadU64 => (Direction::Load, 8),
        Accessor::InputLoadU8 => (Direction::Input, 1),
        Accessor::InputLoadU64 => (Direction::Input, 8),
        Accessor::StoreU8 => (Direction::Store, 1),
        Accessor::StoreU64 => (Direction::Store, 8),
        Accessor::InputLength => return None,
    };
    // What one of the two loaded, the other stored.
    let transfers = stores != (direction == Direction::Store);
    let memory = target.memory(memarg.memory)?;
    let usual = !memory.memory64 && memory.page_size_log2.is_none();
    if !transfers || !usual || 1 << memarg.max_align != width {
        return None;
    }
    let mut inductions = inductions(&turn, locals)?;
    let step = |linear: Linear| step(&inductions, linear);
    let within = turn.within.iter().map(|within| within.condition(step));
    let mut within: Vec<Condition> = within.collect::<Option<_>>()?;
    let mut again = match again {
        Some(again) => Some(again.condition(step)?),
        None if within.is_empty() => return None,
        None => None,
    };
    if within.iter().chain(&again).any(Condition::is_short) {
        return None;
    }
    let moves = |linear, ty| wrap(ty, step(linear)) == i64::from(width);
    if !moves(kernel, ValType::I64) || !moves(guest, ValType::I32) {
        return None;
    }
    // Those that change first, and in the order of what they are for, so that loops are of one form
    // that differ in the numbers of their locals only.
    let conditions = within.iter().chain(&again);
    let numbers = [kernel, guest]
        .into_iter()
        .chain(conditions.flat_map(Condition::sides));
    let used: Vec<u32> = numbers
        .flat_map(|number| number.terms())
        .map(|term| term.local)
        .collect();
    inductions.sort_unstable_by_key(|(local, _)| {
        let at = used.iter().position(|used| used == local);
        (at.unwrap_or(used.len()), *local)
    });
    let mut matter: Vec<u32> = inductions.iter().map(|(local, _)| *local).collect();
    let mut rename = |local| {
        let known = matter.iter().position(|known| *known == local);
        known.unwrap_or_else(|| {
            matter.push(local);
            matter.len() - 1
        }) as u32
    };
    for condition in within.iter_mut().chain(&mut again) {
        *condition = condition.renamed(&mut rename);
    }
    let (kernel, guest) = (kernel.renamed(&mut rename), guest.renamed(&mut rename));
    let ty = |local: &u32| locals.get(*local as usize).copied();
    Some(Found {
        copy: CopyLoop {
            transfer: Transfer {
                direction,
                width,
                memory: memarg.memory,
            },
            kernel,
            guest,
            guest_offset: memarg.offset,
            within,
            again,
            params: matter.iter().map(ty).collect::<Option<_>>()?,
            steps: inductions.iter().map(|(_, step)| *step).collect(),
        },
        locals: matter,
        call,
    })
}

/// What turns add to the locals. One that gets something else than itself plus a constant must not be
/// read by the next turn: then the turn after all those that are done at once sets it, as ever.
fn inductions(turn: &Turn, locals: &[ValType]) -> Option<Vec<(u32, i64)>> {
    let mut inductions = Vec::new();
    for &(local, value) in &turn.locals {
        let added = match value {
            Value::Number(number) => number.added_to(local),
            _ => None,
        };
        match added {
            Some(0) => (),
            Some(step) => {
                let step = wrap(*locals.get(local as usize)?, step);
                inductions.push((local, step));
            }
            // The conditions and the addresses speak of values at the start of a turn only.
            None if turn.read.contains(&local) => return None,
            None => (),
        }
    }
    let small = |(_, step): &(u32, i64)| step.unsigned_abs() <= MAX_STEP;
    inductions.iter().all(small).then_some(inductions)
}

/// What a turn adds to a number.
fn step(inductions: &[(u32, i64)], number: Linear) -> i64 {
    let mut sum = 0_i64;
    for term in number.terms() {
        let induction = inductions.iter().find(|(local, _)| *local == term.local);
        let step = induction.map_or(0, |(_, step)| *step);
        sum = match term.negative {
            true => sum.wrapping_sub(step),
            false => sum.wrapping_add(step),
        };
    }
    sum
}
