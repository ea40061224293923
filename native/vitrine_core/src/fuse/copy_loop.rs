//! Finds the loops that only copy: what compilers make of the copying loops of PDKs.
//!
//! Such a loop is one straight piece of code that ends in a conditional branch to its beginning. It
//! does one transfer, a load and a store of the same width of which one is an accessor's; besides,
//! it adds constants to locals and compares them. Nothing else has an effect, so what so many turns
//! do to the memories is one copy, and what they do to the locals one addition each.
//!
//! Values are followed as *a local at the start of the turn, plus a constant*. Whatever else there is
//! makes the loop no copy loop, which costs nothing but speed.

use wasm_encoder::ValType;
use wasmparser::{BlockType, MemArg, Operator, OperatorsReader};

use super::accessor::Accessor;
use super::survey::Survey;

/// More instructions than any copy loop has.
const MAX_INSTRUCTIONS: usize = 48;

/// From where to where the bytes are copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// From the kernel's heap.
    Load,
    /// From the input.
    Input,
    /// To the kernel's heap.
    Store,
}

/// A local at the start of the turn plus a constant; without a local, the constant. Numbers wrap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Affine {
    pub(super) local: Option<u32>,
    pub(super) plus: i64,
}

/// How the two sides of the last comparison stand to each other while there is another turn. All
/// numbers are without a sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// The condition of another turn. The left side changes in each turn, the right one never.
#[derive(Clone, Copy, Debug)]
pub(super) struct Condition {
    pub(super) ty: ValType,
    pub(super) relation: Relation,
    pub(super) left: Affine,
    /// What a turn adds to the left side: a power of two, or the negative of one.
    pub(super) step: i64,
    pub(super) right: Affine,
}

/// A local to which each turn adds a constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Induction {
    pub(super) local: u32,
    pub(super) ty: ValType,
    pub(super) step: i64,
}

/// A loop that only copies.
#[derive(Debug)]
pub(super) struct CopyLoop {
    pub(super) direction: Direction,
    /// Bytes of a turn: 1 or 8.
    pub(super) width: u32,
    /// The guest's memory, by its index before the kernel's is added.
    pub(super) memory: u32,
    /// The accessor's offset, an `i64`.
    pub(super) kernel: Affine,
    /// The guest's address, an `i32`, and what the instruction adds to it.
    pub(super) guest: Affine,
    pub(super) guest_offset: u64,
    pub(super) inductions: Vec<Induction>,
    pub(super) condition: Condition,
}

/// What is known of a value.
#[derive(Clone, Copy, Debug)]
enum Value {
    Affine(Affine),
    /// The same, with a type that an addition told.
    Sum(Affine, ValType),
    /// What is copied.
    Datum,
    Compared(ValType, Relation, Affine, Affine),
}

impl Value {
    fn affine(self) -> Option<Affine> {
        match self {
            Value::Affine(affine) | Value::Sum(affine, _) => Some(affine),
            _ => None,
        }
    }
}

/// One turn, while it is followed.
#[derive(Default)]
struct Turn {
    stack: Vec<Value>,
    /// The locals that were set.
    locals: Vec<(u32, Value)>,
    /// The locals that were read before they were set.
    read: Vec<u32>,
    /// The accessor, and the offset it is called with.
    kernel: Option<(Accessor, Affine)>,
    /// The guest's address, with the instruction's immediates and whether it stores.
    guest: Option<(Affine, MemArg, bool)>,
}

/// The copy loop whose body follows, if it is one.
pub(super) fn recognise(
    mut operators: OperatorsReader<'_>,
    survey: &Survey<'_>,
) -> Option<CopyLoop> {
    let mut turn = Turn::default();
    for _ in 0..MAX_INSTRUCTIONS {
        match operators.read().ok()? {
            Operator::BrIf { relative_depth: 0 } => {
                let end = matches!(operators.read().ok()?, Operator::End);
                return if end { turn.finish(survey) } else { None };
            }
            operator => turn.follow(&operator, survey)?,
        }
    }
    None
}

/// Whether a loop has no parameters and results, as all copy loops.
pub(super) fn is_plain(ty: BlockType) -> bool {
    ty == BlockType::Empty
}

impl Turn {
    fn follow(&mut self, operator: &Operator<'_>, survey: &Survey<'_>) -> Option<()> {
        use Relation::{Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
        use ValType::{I32, I64};
        match *operator {
            Operator::LocalGet { local_index } => {
                let value = self.local(local_index);
                self.stack.push(value);
            }
            Operator::LocalSet { local_index } => {
                let value = self.stack.pop()?;
                self.set(local_index, value);
            }
            Operator::LocalTee { local_index } => self.set(local_index, *self.stack.last()?),
            Operator::I32Const { value } => self.constant(value.into()),
            Operator::I64Const { value } => self.constant(value),
            Operator::I32Add => self.add(I32)?,
            Operator::I64Add => self.add(I64)?,
            Operator::I32Sub => self.subtract(I32)?,
            Operator::I64Sub => self.subtract(I64)?,
            Operator::I32Ne => self.compare(I32, NotEqual)?,
            Operator::I64Ne => self.compare(I64, NotEqual)?,
            Operator::I32LtU => self.compare(I32, Less)?,
            Operator::I64LtU => self.compare(I64, Less)?,
            Operator::I32LeU => self.compare(I32, LessOrEqual)?,
            Operator::I64LeU => self.compare(I64, LessOrEqual)?,
            Operator::I32GtU => self.compare(I32, Greater)?,
            Operator::I64GtU => self.compare(I64, Greater)?,
            Operator::I32GeU => self.compare(I32, GreaterOrEqual)?,
            Operator::I64GeU => self.compare(I64, GreaterOrEqual)?,
            Operator::Call { function_index } => self.access(function_index, survey)?,
            Operator::I64Load { memarg }
            | Operator::I32Load8U { memarg }
            | Operator::I32Load8S { memarg } => {
                self.touch(memarg, false)?;
                self.stack.push(Value::Datum);
            }
            Operator::I64Store { memarg } | Operator::I32Store8 { memarg } => {
                self.datum()?;
                self.touch(memarg, true)?;
            }
            _ => return None,
        }
        Some(())
    }

    fn local(&mut self, local: u32) -> Value {
        if let Some((_, value)) = self.locals.iter().find(|(set, _)| *set == local) {
            return *value;
        }
        self.read.push(local);
        Value::Affine(Affine {
            local: Some(local),
            plus: 0,
        })
    }

    fn set(&mut self, local: u32, value: Value) {
        self.locals.retain(|(set, _)| *set != local);
        self.locals.push((local, value));
    }

    fn constant(&mut self, plus: i64) {
        self.stack.push(Value::Affine(Affine { local: None, plus }));
    }

    fn pop(&mut self) -> Option<Affine> {
        self.stack.pop()?.affine()
    }

    fn add(&mut self, ty: ValType) -> Option<()> {
        let (right, left) = (self.pop()?, self.pop()?);
        let local = match (left.local, right.local) {
            (local, None) | (None, local) => local,
            _ => return None,
        };
        let plus = left.plus.wrapping_add(right.plus);
        self.stack.push(Value::Sum(Affine { local, plus }, ty));
        Some(())
    }

    fn subtract(&mut self, ty: ValType) -> Option<()> {
        let (right, left) = (self.pop()?, self.pop()?);
        if right.local.is_some() {
            return None;
        }
        let plus = left.plus.wrapping_sub(right.plus);
        self.stack.push(Value::Sum(Affine { plus, ..left }, ty));
        Some(())
    }

    fn compare(&mut self, ty: ValType, relation: Relation) -> Option<()> {
        let (right, left) = (self.pop()?, self.pop()?);
        self.stack.push(Value::Compared(ty, relation, left, right));
        Some(())
    }

    fn access(&mut self, function: u32, survey: &Survey<'_>) -> Option<()> {
        let accessor = survey.accessor(function)?;
        let stores = match accessor {
            Accessor::InputLength => return None,
            Accessor::StoreU8 | Accessor::StoreU64 => true,
            _ => false,
        };
        if stores {
            self.datum()?;
        }
        let offset = self.pop()?;
        if !stores {
            self.stack.push(Value::Datum);
        }
        let first = self.kernel.replace((accessor, offset));
        first.is_none().then_some(())
    }

    /// Takes what is copied from the stack. It was loaded in this turn: there is one load.
    fn datum(&mut self) -> Option<()> {
        matches!(self.stack.pop()?, Value::Datum).then_some(())
    }

    fn touch(&mut self, memarg: MemArg, stores: bool) -> Option<()> {
        let address = self.pop()?;
        let first = self.guest.replace((address, memarg, stores));
        first.is_none().then_some(())
    }

    fn finish(mut self, survey: &Survey<'_>) -> Option<CopyLoop> {
        let (accessor, kernel) = self.kernel?;
        let (guest, memarg, stores) = self.guest?;
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
        let memory = survey.memory(memarg.memory)?;
        let usual = !memory.memory64 && memory.page_size_log2.is_none();
        if !transfers || !usual || 1 << memarg.max_align != width {
            return None;
        }
        let last = self.stack.pop()?;
        if !self.stack.is_empty() {
            return None;
        }
        let inductions = self.inductions()?;
        let step = |affine: Affine| step(&inductions, affine);
        let moves = |affine| step(affine) == i64::from(width);
        let condition = condition(last, step)?;
        (moves(kernel) && moves(guest)).then_some(CopyLoop {
            direction,
            width,
            memory: memarg.memory,
            kernel,
            guest,
            guest_offset: memarg.offset,
            condition,
            inductions,
        })
    }

    /// What turns do to the locals. One that gets something else than itself plus a constant must
    /// not be read by the next turn: then the loop's last turn, which is done as ever, sets it.
    fn inductions(&self) -> Option<Vec<Induction>> {
        let mut inductions = Vec::new();
        for &(local, value) in &self.locals {
            match value {
                Value::Sum(sum, ty) if sum.local == Some(local) => inductions.push(Induction {
                    local,
                    ty,
                    step: wrapped(ty, sum.plus),
                }),
                Value::Affine(itself) if itself.local == Some(local) => (),
                _ if self.read.contains(&local) => return None,
                // The condition and the addresses speak of values at the start of a turn only.
                _ => (),
            }
        }
        Some(inductions)
    }
}

/// What a turn adds to a value.
fn step(inductions: &[Induction], affine: Affine) -> i64 {
    let of = |local| inductions.iter().find(|i| i.local == local);
    affine.local.and_then(of).map_or(0, |i| i.step)
}

fn wrapped(ty: ValType, number: i64) -> i64 {
    match ty {
        ValType::I32 => i64::from(number as i32),
        _ => number,
    }
}

fn condition(last: Value, step: impl Fn(Affine) -> i64) -> Option<Condition> {
    let (ty, relation, left, right) = match last {
        Value::Compared(ty, relation, left, right) => (ty, relation, left, right),
        // As a condition, an `i32` that is not 0.
        Value::Affine(left) | Value::Sum(left, _) => {
            let zero = Affine {
                local: None,
                plus: 0,
            };
            (ValType::I32, Relation::NotEqual, left, zero)
        }
        Value::Datum => return None,
    };
    let (relation, left, right) = match (step(left), step(right)) {
        (_, 0) => (relation, left, right),
        (0, _) => (relation.turned(), right, left),
        _ => return None,
    };
    let step = step(left);
    let rises = match relation {
        Relation::NotEqual => step > 0,
        Relation::Less | Relation::LessOrEqual => true,
        Relation::Greater | Relation::GreaterOrEqual => false,
    };
    let usual = step.unsigned_abs().is_power_of_two() && step != i64::MIN;
    (usual && rises == (step > 0)).then_some(Condition {
        ty,
        relation,
        left,
        step,
        right,
    })
}

impl Relation {
    /// The same with the sides exchanged.
    fn turned(self) -> Self {
        match self {
            Relation::NotEqual => Relation::NotEqual,
            Relation::Less => Relation::Greater,
            Relation::LessOrEqual => Relation::GreaterOrEqual,
            Relation::Greater => Relation::Less,
            Relation::GreaterOrEqual => Relation::LessOrEqual,
        }
    }
}
