//! What stands before a copy loop: finds how many turns are certainly followed by another, has a
//! helper do as many of them as it can, and moves the loop's locals on by these. The loop itself
//! stays as it is, and does what is left: at least its last turn.

use wasm_encoder::{BlockType, InstructionSink, ValType};

use super::copy_loop::{Affine, Condition, CopyLoop, Relation};

/// Turns for which a call of a helper does not pay.
const FEW: i64 = 24;

/// Writes what comes before the loop. The local `turns` is an `i64` that nothing else needs.
pub(super) fn prologue(copy: &CopyLoop, helper: u32, turns: u32, sink: &mut InstructionSink<'_>) {
    count(&copy.condition, sink);
    sink.local_tee(turns).i64_const(FEW).i64_gt_u();
    sink.if_(BlockType::Empty);
    value(copy.kernel, ValType::I64, sink);
    value(copy.guest, ValType::I32, sink);
    sink.i64_extend_i32_u();
    sink.i64_const(copy.guest_offset.cast_signed()).i64_add();
    sink.local_get(turns).call(helper).local_set(turns);
    for induction in &copy.inductions {
        sink.local_get(induction.local).local_get(turns);
        if induction.ty == ValType::I32 {
            sink.i32_wrap_i64();
        }
        constant(induction.step, induction.ty, sink);
        match induction.ty {
            ValType::I32 => sink.i32_mul().i32_add(),
            _ => sink.i64_mul().i64_add(),
        };
        sink.local_set(induction.local);
    }
    sink.end();
}

/// Leaves on the stack, as an `i64`, how many turns are certainly followed by another. With
/// *distance* for how far the left side is from the right one, in the direction in which it moves:
///
/// * not equal: `distance / step`, if that leaves no rest; otherwise it jumps over the right side;
/// * less, greater: `(distance - 1) / step + 1`, if it is so now;
/// * less or equal, greater or equal: `distance / step + 1`, if it is so now.
///
/// Up to there nothing wraps.
fn count(condition: &Condition, sink: &mut InstructionSink<'_>) {
    let Condition { ty, relation, .. } = *condition;
    let shift = condition.step.trailing_zeros();
    distance(condition, sink);
    if matches!(relation, Relation::Less | Relation::Greater) {
        sink.i64_const(1).i64_sub();
    }
    sink.i64_const(shift.into()).i64_shr_u();
    if relation != Relation::NotEqual {
        sink.i64_const(1).i64_add();
    }
    sink.i64_const(0);
    match relation {
        Relation::NotEqual => {
            let rest = condition.step.unsigned_abs() - 1;
            distance(condition, sink);
            sink.i64_const(rest.cast_signed()).i64_and().i64_eqz();
        }
        _ => {
            value(condition.left, ty, sink);
            value(condition.right, ty, sink);
            compare(relation, ty, sink);
        }
    }
    sink.select();
}

/// The distance, as an `i64`.
fn distance(condition: &Condition, sink: &mut InstructionSink<'_>) {
    let (from, to) = match condition.step > 0 {
        true => (condition.left, condition.right),
        false => (condition.right, condition.left),
    };
    value(to, condition.ty, sink);
    value(from, condition.ty, sink);
    match condition.ty {
        ValType::I32 => sink.i32_sub().i64_extend_i32_u(),
        _ => sink.i64_sub(),
    };
}

fn compare(relation: Relation, ty: ValType, sink: &mut InstructionSink<'_>) {
    match (relation, ty) {
        (Relation::NotEqual, ValType::I32) => sink.i32_ne(),
        (Relation::NotEqual, _) => sink.i64_ne(),
        (Relation::Less, ValType::I32) => sink.i32_lt_u(),
        (Relation::Less, _) => sink.i64_lt_u(),
        (Relation::LessOrEqual, ValType::I32) => sink.i32_le_u(),
        (Relation::LessOrEqual, _) => sink.i64_le_u(),
        (Relation::Greater, ValType::I32) => sink.i32_gt_u(),
        (Relation::Greater, _) => sink.i64_gt_u(),
        (Relation::GreaterOrEqual, ValType::I32) => sink.i32_ge_u(),
        (Relation::GreaterOrEqual, _) => sink.i64_ge_u(),
    };
}

fn value(affine: Affine, ty: ValType, sink: &mut InstructionSink<'_>) {
    let Some(local) = affine.local else {
        return constant(affine.plus, ty, sink);
    };
    sink.local_get(local);
    if affine.plus != 0 {
        constant(affine.plus, ty, sink);
        match ty {
            ValType::I32 => sink.i32_add(),
            _ => sink.i64_add(),
        };
    }
}

fn constant(value: i64, ty: ValType, sink: &mut InstructionSink<'_>) {
    match ty {
        ValType::I32 => sink.i32_const(value as i32),
        _ => sink.i64_const(value),
    };
}
