//! Follows one iteration of a loop. Each number is a function of the locals at the iteration's start.

use wasm_encoder::ValType;
use wasmparser::{MemArg, Operator};

use super::accessor::Accessor;
use super::condition::{Comparison, Relation};
use super::linear::Linear;
use super::target::Target;

/// The facts that are known about a value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value {
    Number(Linear),
    /// The value is the bytes that are copied.
    Datum,
    Compared(Comparison),
}

/// A call of an accessor.
#[derive(Clone, Copy, Debug)]
pub(super) struct Called {
    pub(super) accessor: Accessor,
    pub(super) offset: Linear,
    /// The offset of the call.
    pub(super) at: usize,
}

/// An access to the guest's memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Access {
    pub(super) address: Linear,
    pub(super) memarg: MemArg,
    pub(super) stores: bool,
}

/// An iteration, as far as it was followed.
#[derive(Clone, Default)]
pub(super) struct Iteration {
    stack: Vec<Value>,
    /// The locals that were set.
    pub(super) locals: Vec<(u32, Value)>,
    /// The locals that were read before they were set.
    pub(super) read: Vec<u32>,
    pub(super) kernel: Option<Called>,
    pub(super) guest: Option<Access>,
    /// The comparisons that must hold for the iteration to go on.
    pub(super) within: Vec<Comparison>,
}

impl Iteration {
    /// Follows an instruction that is not a control instruction; `None` if no copy loop has such an instruction.
    pub(super) fn follow(
        &mut self,
        operator: &Operator<'_>,
        at: usize,
        target: &Target<'_>,
    ) -> Option<()> {
        use Relation::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
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
            Operator::I32Const { value } => self.push(Linear::constant(value.into())),
            Operator::I64Const { value } => self.push(Linear::constant(value)),
            Operator::I32Add | Operator::I64Add => {
                let [left, right] = self.numbers()?;
                self.push(left.add(right)?);
            }
            Operator::I32Sub | Operator::I64Sub => {
                let [left, right] = self.numbers()?;
                self.push(left.subtract(right)?);
            }
            Operator::I32WrapI64 => {
                let number = self.number()?;
                self.push(number.wrapped());
            }
            Operator::I32Eqz => {
                let value = self.stack.pop()?;
                let compared = truth(value)?.negated();
                self.stack.push(Value::Compared(compared));
            }
            Operator::I64Eqz => {
                self.push(Linear::constant(0));
                self.compare(I64, Equal, false)?;
            }
            Operator::I32Eq => self.compare(I32, Equal, false)?,
            Operator::I64Eq => self.compare(I64, Equal, false)?,
            Operator::I32Ne => self.compare(I32, NotEqual, false)?,
            Operator::I64Ne => self.compare(I64, NotEqual, false)?,
            Operator::I32LtU => self.compare(I32, Less, false)?,
            Operator::I64LtU => self.compare(I64, Less, false)?,
            Operator::I32LtS => self.compare(I32, Less, true)?,
            Operator::I64LtS => self.compare(I64, Less, true)?,
            Operator::I32LeU => self.compare(I32, LessOrEqual, false)?,
            Operator::I64LeU => self.compare(I64, LessOrEqual, false)?,
            Operator::I32LeS => self.compare(I32, LessOrEqual, true)?,
            Operator::I64LeS => self.compare(I64, LessOrEqual, true)?,
            Operator::I32GtU => self.compare(I32, Greater, false)?,
            Operator::I64GtU => self.compare(I64, Greater, false)?,
            Operator::I32GtS => self.compare(I32, Greater, true)?,
            Operator::I64GtS => self.compare(I64, Greater, true)?,
            Operator::I32GeU => self.compare(I32, GreaterOrEqual, false)?,
            Operator::I64GeU => self.compare(I64, GreaterOrEqual, false)?,
            Operator::I32GeS => self.compare(I32, GreaterOrEqual, true)?,
            Operator::I64GeS => self.compare(I64, GreaterOrEqual, true)?,
            Operator::Call { function_index } => self.call(target.accessor(function_index)?, at)?,
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

    /// The number of values on the stack.
    pub(super) fn height(&self) -> usize {
        self.stack.len()
    }

    /// Drops the values above a height of the stack.
    pub(super) fn unwind(&mut self, height: usize) {
        self.stack.truncate(height);
    }

    /// Pops a condition.
    pub(super) fn condition(&mut self) -> Option<Comparison> {
        truth(self.stack.pop()?)
    }

    fn local(&mut self, local: u32) -> Value {
        if let Some((_, value)) = self.locals.iter().find(|(set, _)| *set == local) {
            return *value;
        }
        self.read.push(local);
        Value::Number(Linear::local(local))
    }

    fn set(&mut self, local: u32, value: Value) {
        self.locals.retain(|(set, _)| *set != local);
        self.locals.push((local, value));
    }

    fn push(&mut self, number: Linear) {
        self.stack.push(Value::Number(number));
    }

    fn number(&mut self) -> Option<Linear> {
        match self.stack.pop()? {
            Value::Number(number) => Some(number),
            _ => None,
        }
    }

    /// Pops the operands of an instruction that has two.
    fn numbers(&mut self) -> Option<[Linear; 2]> {
        let right = self.number()?;
        Some([self.number()?, right])
    }

    fn compare(&mut self, ty: ValType, relation: Relation, signed: bool) -> Option<()> {
        let [left, right] = self.numbers()?;
        self.stack.push(Value::Compared(Comparison {
            ty,
            relation,
            signed,
            left,
            right,
        }));
        Some(())
    }

    fn call(&mut self, accessor: Accessor, at: usize) -> Option<()> {
        let stores = match accessor {
            Accessor::InputLength => return None,
            Accessor::StoreU8 | Accessor::StoreU64 => true,
            _ => false,
        };
        if stores {
            self.datum()?;
        }
        let offset = self.number()?;
        if !stores {
            self.stack.push(Value::Datum);
        }
        let called = Called {
            accessor,
            offset,
            at,
        };
        let first = self.kernel.replace(called);
        first.is_none().then_some(())
    }

    /// Pops the bytes that are copied. They were loaded in this iteration, which has one load.
    fn datum(&mut self) -> Option<()> {
        matches!(self.stack.pop()?, Value::Datum).then_some(())
    }

    fn touch(&mut self, memarg: MemArg, stores: bool) -> Option<()> {
        let access = Access {
            address: self.number()?,
            memarg,
            stores,
        };
        let first = self.guest.replace(access);
        first.is_none().then_some(())
    }
}

/// The comparison that holds exactly if a value, as a condition, is true.
fn truth(value: Value) -> Option<Comparison> {
    match value {
        Value::Compared(comparison) => Some(comparison),
        Value::Number(left) => Some(Comparison {
            ty: ValType::I32,
            relation: Relation::NotEqual,
            signed: false,
            left,
            right: Linear::constant(0),
        }),
        Value::Datum => None,
    }
}
