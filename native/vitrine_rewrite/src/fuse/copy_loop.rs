//! Recognises copy loops: the loops that compilers make from the copying loops of PDKs.
//!
//! A copy loop has one path from its header back to it whose only effects are a single transfer (a load and a store of
//! equal width, one of them an accessor call) and constant increments of locals. Many iterations on this path amount to
//! one copy between the memories and one addition for each local. The conditions for taking the path compare numbers
//! that iterations change with numbers that they do not change, so a lower bound of the number of iterations is known
//! beforehand.
//!
//! The other paths, out of the loop or to the iterations for the rest, may do anything. If there is anything else on
//! this path, the loop is not a copy loop, and only speed is lost.

use wasm_encoder::ValType;
use wasmparser::{BlockType, Operator, OperatorsReader};

use super::accessor::Accessor;
use super::condition::{Comparison, Condition};
use super::iteration::{Access, Called, Iteration, Value};
use super::linear::{Linear, wrap};
use super::target::Target;

/// The most instructions that are looked at in a loop.
const MAX_INSTRUCTIONS: usize = 256;

/// The most that a local may change by in an iteration.
const MAX_STEP: u64 = 1 << 16;

/// The direction in which bytes are copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Direction {
    /// The loop copies from the kernel's heap.
    Load,
    /// The loop copies from the input.
    Input,
    /// The loop copies to the kernel's heap.
    Store,
}

/// The bytes that one iteration copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Transfer {
    pub(super) direction: Direction,
    /// The number of bytes: 1 or 8.
    pub(super) width: u32,
    /// The index of the guest's memory before the kernel's is added.
    pub(super) memory: u32,
}

/// A copy loop, as a function of the locals that matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CopyLoop {
    pub(super) transfer: Transfer,
    /// The accessor's offset, an `i64`.
    pub(super) kernel: Linear,
    /// The guest's address, an `i32`. The instruction adds `guest_offset` to it.
    pub(super) guest: Linear,
    pub(super) guest_offset: u64,
    /// The conditions that must hold within an iteration for it to take the path.
    pub(super) within: Vec<Condition>,
    /// The condition that must hold at the end for another iteration. `None` if another iteration is certain.
    pub(super) again: Option<Condition>,
    /// The types of the locals.
    pub(super) params: Vec<ValType>,
    /// The numbers that an iteration adds to the first of the locals.
    pub(super) steps: Vec<i64>,
}

impl CopyLoop {
    /// The copy loop over other locals.
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
    /// The offset of the call of the accessor.
    pub(super) call: usize,
}

/// Returns true if a loop has no parameters. All copy loops are such loops.
pub(super) fn may_be(ty: BlockType) -> bool {
    matches!(ty, BlockType::Empty | BlockType::Type(_))
}

/// The copy loop whose body follows, if the loop is one. `locals` has the types of the function's locals.
pub(super) fn recognise(
    operators: OperatorsReader<'_>,
    target: &Target<'_>,
    locals: &[ValType],
) -> Option<Found> {
    let path = Path {
        operators,
        iteration: Iteration::default(),
        blocks: Vec::new(),
    };
    let mut left = MAX_INSTRUCTIONS;
    path.follow(target, locals, &mut left)
}

/// A path through the loop, up to some place.
#[derive(Clone)]
struct Path<'a> {
    operators: OperatorsReader<'a>,
    iteration: Iteration,
    /// The height of the stack outside of each block around the place, within the loop.
    blocks: Vec<usize>,
}

impl Path<'_> {
    /// Follows the path to its end. `left` says how many instructions may still be looked at.
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
                    let condition = self.iteration.condition()?;
                    self.iteration.within.push(condition);
                    self.enter();
                }
                Operator::Else => self.leave(0, left)?,
                Operator::End => {
                    self.blocks.pop()?;
                }
                Operator::Br { relative_depth } if self.is_loop(relative_depth) => {
                    return finish(self.iteration, None, target, locals);
                }
                Operator::Br { relative_depth } => self.leave(relative_depth, left)?,
                Operator::BrIf { relative_depth } => {
                    let condition = self.iteration.condition()?;
                    if self.is_loop(relative_depth) {
                        return finish(self.iteration, Some(condition), target, locals);
                    }
                    let mut other = self.clone();
                    if other.leave(relative_depth, left).is_some() {
                        other.iteration.within.push(condition);
                        let found = other.follow(target, locals, left);
                        if found.is_some() {
                            return found;
                        }
                    }
                    self.iteration.within.push(condition.negated());
                }
                operator => self.iteration.follow(&operator, at, target)?,
            }
        }
    }

    /// Returns true if a branch of this depth goes to the loop's header.
    fn is_loop(&self, depth: u32) -> bool {
        depth as usize == self.blocks.len()
    }

    fn enter(&mut self) {
        self.blocks.push(self.iteration.height());
    }

    /// Goes to the end of a block around the place; `None` if that is outside of the loop.
    fn leave(&mut self, depth: u32, left: &mut usize) -> Option<()> {
        let outer = self.blocks.len().checked_sub(depth as usize + 1)?;
        self.iteration.unwind(*self.blocks.get(outer)?);
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
                // These are the legacy exceptions. They have ends of their own.
                Operator::Try { .. } => return None,
                _ => (),
            }
        }
        Some(())
    }
}

/// The loop that this iteration belongs to, if it is a copy loop.
fn finish(
    iteration: Iteration,
    again: Option<Comparison>,
    target: &Target<'_>,
    locals: &[ValType],
) -> Option<Found> {
    let Called {
        accessor,
        offset: kernel,
        at: call,
    } = iteration.kernel?;
    let Access {
        address: guest,
        memarg,
        stores,
    } = iteration.guest?;
    let (direction, width) = match accessor {
        Accessor::LoadU8 => (Direction::Load, 1),
        Accessor::LoadU64 => (Direction::Load, 8),
        Accessor::InputLoadU8 => (Direction::Input, 1),
        Accessor::InputLoadU64 => (Direction::Input, 8),
        Accessor::StoreU8 => (Direction::Store, 1),
        Accessor::StoreU64 => (Direction::Store, 8),
        Accessor::InputLength => return None,
    };
    // One of the two must load, and the other must store.
    let transfers = stores != (direction == Direction::Store);
    let memory = target.memory(memarg.memory)?;
    let usual = !memory.memory64 && memory.page_size_log2.is_none();
    if !transfers || !usual || 1 << memarg.max_align != width {
        return None;
    }
    let mut inductions = inductions(&iteration, locals)?;
    let step = |linear: Linear| step(&inductions, linear);
    let within = iteration.within.iter().map(|within| within.condition(step));
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
    // The locals that change come first, in the order of their purpose, so that loops that differ only in the numbers
    // of their locals have the same form.
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

/// The numbers that an iteration adds to the locals. The next iteration must not read a local that is set to anything
/// but itself plus a constant. Then the iteration after all those that are done at once sets it as usual.
fn inductions(iteration: &Iteration, locals: &[ValType]) -> Option<Vec<(u32, i64)>> {
    let mut inductions = Vec::new();
    for &(local, value) in &iteration.locals {
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
            // Conditions and addresses only depend on values at the start of an iteration.
            None if iteration.read.contains(&local) => return None,
            None => (),
        }
    }
    let small = |(_, step): &(u32, i64)| step.unsigned_abs() <= MAX_STEP;
    inductions.iter().all(small).then_some(inductions)
}

/// The number that an iteration adds to a number.
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
