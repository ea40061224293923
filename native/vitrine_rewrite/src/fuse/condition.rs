//! The conditions under which a loop goes on. They are read from comparisons, and the code that they write computes for
//! how many iterations one holds.

use wasm_encoder::{InstructionSink, ValType};

use super::linear::{Linear, wrap};

/// The most iterations that are not worth doing at once.
const FEW: i64 = 32;

/// A number of iterations that is greater than any number that is ever done at once.
const ENOUGH: i64 = 1 << 32;

/// A relation between two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Relation {
    /// The relation with the sides exchanged.
    fn turned(self) -> Self {
        match self {
            Relation::Less => Relation::Greater,
            Relation::LessOrEqual => Relation::GreaterOrEqual,
            Relation::Greater => Relation::Less,
            Relation::GreaterOrEqual => Relation::LessOrEqual,
            either => either,
        }
    }

    fn negated(self) -> Self {
        match self {
            Relation::Equal => Relation::NotEqual,
            Relation::NotEqual => Relation::Equal,
            Relation::Less => Relation::GreaterOrEqual,
            Relation::LessOrEqual => Relation::Greater,
            Relation::Greater => Relation::LessOrEqual,
            Relation::GreaterOrEqual => Relation::Less,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Comparison {
    pub(super) ty: ValType,
    pub(super) relation: Relation,
    /// Whether the numbers are signed.
    pub(super) signed: bool,
    pub(super) left: Linear,
    pub(super) right: Linear,
}

impl Comparison {
    pub(super) fn negated(self) -> Self {
        Comparison {
            relation: self.relation.negated(),
            ..self
        }
    }

    /// The condition, if exactly one side changes in each iteration. `step` tells by how much a number changes.
    pub(super) fn condition(self, step: impl Fn(Linear) -> i64) -> Option<Condition> {
        let Comparison {
            ty,
            relation,
            signed,
            left,
            right,
        } = self;
        let step = |linear| wrap(ty, step(linear));
        let (relation, left, right) = match (step(left), step(right)) {
            (_, 0) => (relation, left, right),
            (0, _) => (relation.turned(), right, left),
            _ => return None,
        };
        let step = step(left);
        let nears = match relation {
            Relation::Equal => false,
            Relation::NotEqual => step != 0,
            Relation::Less | Relation::LessOrEqual => step > 0,
            Relation::Greater | Relation::GreaterOrEqual => step < 0,
        };
        (nears && step.unsigned_abs().is_power_of_two()).then_some(Condition {
            ty,
            relation,
            signed,
            left,
            step,
            right,
        })
    }
}

/// A condition for another iteration. The left side approaches the right one, which never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Condition {
    ty: ValType,
    relation: Relation,
    signed: bool,
    left: Linear,
    /// The number that an iteration adds to the left side: a power of two, or the negative of one.
    step: i64,
    right: Linear,
}

impl Condition {
    /// Pushes the number of bytes that are copied, `width` in each iteration, while the condition certainly holds, from
    /// this iteration on. The number is signed, too low if there are very many bytes, and not a whole number of
    /// iterations. `scratch` is a local for its use.
    ///
    /// Let *distance* be how far the left side is from the right one, in the direction in which it moves. The condition
    /// holds in `distance / step` iterations, rounded down: until then nothing wraps, and the left side does not get
    /// beyond the right one. If the left side begins beyond it, the condition holds in no iteration.
    pub(super) fn bytes(&self, width: u32, scratch: u32, sink: &mut InstructionSink<'_>) {
        self.distance(sink);
        let (step, width) = (self.step.unsigned_abs(), u64::from(width));
        if step > width {
            let shift = step.trailing_zeros() - width.trailing_zeros();
            sink.i64_const(shift.into()).i64_shr_s();
        } else if step < width {
            if self.ty != ValType::I32 {
                sink.local_tee(scratch).i64_const(ENOUGH);
                sink.local_get(scratch).i64_const(ENOUGH);
                sink.i64_lt_s().select();
            }
            let shift = width.trailing_zeros() - step.trailing_zeros();
            sink.i64_const(shift.into()).i64_shl();
        }
        if self.ty != ValType::I32 && self.relation != Relation::NotEqual {
            sink.i64_const(0);
            self.left.emit(self.ty, sink);
            self.right.emit(self.ty, sink);
            match (self.step > 0, self.signed) {
                (true, false) => sink.i64_le_u(),
                (true, true) => sink.i64_le_s(),
                (false, false) => sink.i64_ge_u(),
                (false, true) => sink.i64_ge_s(),
            };
            sink.select();
        }
    }

    /// Pushes the distance, as an `i64`. With `i32` sides it is below 0 if the left side begins beyond the right one.
    fn distance(&self, sink: &mut InstructionSink<'_>) {
        let (from, to) = match self.step > 0 {
            true => (self.left, self.right),
            false => (self.right, self.left),
        };
        let widen = |sink: &mut InstructionSink<'_>| {
            match self.signed {
                true => sink.i64_extend_i32_s(),
                false => sink.i64_extend_i32_u(),
            };
        };
        match (self.ty, self.relation) {
            (ValType::I32, Relation::NotEqual) => {
                to.emit(self.ty, sink);
                from.emit(self.ty, sink);
                sink.i32_sub().i64_extend_i32_u();
            }
            (ValType::I32, _) => {
                to.emit(self.ty, sink);
                widen(sink);
                from.emit(self.ty, sink);
                widen(sink);
                sink.i64_sub();
            }
            _ => {
                to.emit(self.ty, sink);
                from.emit(self.ty, sink);
                sink.i64_sub();
            }
        }
    }

    /// Returns true if the condition limits a loop that counts from 0 to few iterations. Compilers make such loops from
    /// copies with a short constant length.
    pub(super) fn is_short(&self) -> bool {
        let constant = self.right.as_constant();
        constant.is_some_and(|end| self.step > 0 && (0..FEW * self.step).contains(&end))
    }

    pub(super) fn sides(&self) -> [Linear; 2] {
        [self.left, self.right]
    }

    /// The condition over other locals.
    pub(super) fn renamed(self, rename: &mut impl FnMut(u32) -> u32) -> Self {
        Condition {
            left: self.left.renamed(rename),
            right: self.right.renamed(rename),
            ..self
        }
    }
}
