//! What stands at the head of a copy loop: if so many turns are certainly followed by another, and
//! all that they access is there and may be written, they are done at once, and the loop's locals
//! moved on by them. Then comes the turn as it was.
//!
//! So the loop does its last turn, and whatever traps, finds a bound or needs the kernel's function,
//! as it always did; and it is a loop still, which can be interrupted between pieces. No piece goes
//! beyond a page of the kernel's memory when it stores.
//!
//! Pieces are of one size: with constants there is little to compute and to compile. Functions that
//! copied all at once were tried, too, and were no faster. The turns that no piece does are fused like any
//! other access: left as calls they would make small inputs slow.

use vitrine_kernel::layout::{HEAP_START, INPUT_LENGTH, INPUT_OFFSET, LOADABLE, PAGE_SHIFT, entry};
use wasm_encoder::{BlockType, InstructionSink, ValType};

use super::copy_loop::{Affine, Condition, CopyLoop, Direction, Relation};
use super::inline::{Scratch, left_in_page, load_control, storable};
use super::shift::shifted;

/// Bytes that are copied at once. Calling what copies takes about as long as the copying.
const PIECE: i64 = 1 << 10;

/// Writes what comes first in the loop.
pub(super) fn piece(
    copy: &CopyLoop,
    kernel: u32,
    scratch: Scratch,
    sink: &mut InstructionSink<'_>,
) {
    let memory = shifted(copy.memory, kernel);
    let turns = PIECE / i64::from(copy.width);
    enough(&copy.condition, turns, sink);
    sink.if_(BlockType::Empty);
    value(copy.kernel, ValType::I64, sink);
    sink.local_set(scratch.offset);
    value(copy.guest, ValType::I32, sink);
    sink.i64_extend_i32_u();
    sink.i64_const(copy.guest_offset.cast_signed()).i64_add();
    sink.local_set(scratch.wide);
    is_in_guest(scratch.wide, memory, sink);
    is_in_kernel(copy.direction, scratch.offset, kernel, sink);
    sink.i32_and().if_(BlockType::Empty);
    match copy.direction {
        Direction::Store => {
            sink.local_get(scratch.offset).i32_wrap_i64();
            sink.local_get(scratch.wide).i32_wrap_i64();
            sink.i32_const(PIECE as i32).memory_copy(kernel, memory);
        }
        Direction::Load | Direction::Input => {
            sink.local_get(scratch.wide).i32_wrap_i64();
            sink.local_get(scratch.offset);
            if copy.direction == Direction::Input {
                load_control(INPUT_OFFSET, kernel, sink);
                sink.i64_add();
            }
            sink.i32_wrap_i64();
            sink.i32_const(PIECE as i32).memory_copy(memory, kernel);
        }
    }
    for induction in &copy.inductions {
        let moved = Affine {
            local: Some(induction.local),
            plus: induction.step.wrapping_mul(turns),
        };
        value(moved, induction.ty, sink);
        sink.local_set(induction.local);
    }
    sink.end().end();
}

/// Whether the piece from the address in a local on is in the guest's memory.
fn is_in_guest(address: u32, memory: u32, sink: &mut InstructionSink<'_>) {
    sink.local_get(address).i64_const(PIECE).i64_add();
    sink.memory_size(memory).i64_extend_i32_u();
    sink.i64_const(PAGE_SHIFT.into()).i64_shl().i64_le_u();
}

/// Whether the kernel's layout allows all of the piece from the offset in a local on.
fn is_in_kernel(direction: Direction, offset: u32, kernel: u32, sink: &mut InstructionSink<'_>) {
    match direction {
        // The two ends: what is added may wrap.
        Direction::Load => {
            for more in [0, PIECE] {
                sink.local_get(offset);
                sink.i64_const(more - i64::from(HEAP_START)).i64_add();
                load_control(LOADABLE, kernel, sink);
                sink.i64_lt_u();
            }
        }
        Direction::Input => {
            for more in [0, PIECE] {
                sink.local_get(offset).i64_const(more).i64_add();
                load_control(INPUT_LENGTH, kernel, sink);
                sink.i64_le_u();
            }
        }
        // Both ends in one page.
        Direction::Store => {
            sink.local_get(offset);
            left_in_page(sink);
            storable(offset, entry::STORABLE, kernel, sink);
            sink.i64_lt_u().local_get(offset);
            left_in_page(sink);
            sink.i64_const(PIECE - 1).i64_ge_u();
        }
    }
    sink.i32_and();
}

/// Whether so many turns are certainly followed by another. With *distance* for how far the left
/// side of the condition is from the right one, in the direction in which it moves:
///
/// * not equal: `distance >= turns * step`, and no rest is left when it is divided by the step, or
///   the left side jumps over the right one;
/// * less, greater: `distance > (turns - 1) * step`, and it is so now;
/// * less or equal, greater or equal: `distance >= (turns - 1) * step`, and it is so now.
///
/// Up to there nothing wraps.
fn enough(condition: &Condition, turns: i64, sink: &mut InstructionSink<'_>) {
    let (ty, relation) = (condition.ty, condition.relation);
    let step = condition.step.unsigned_abs().cast_signed();
    distance(condition, sink);
    let least = match relation {
        Relation::NotEqual => step.saturating_mul(turns),
        Relation::Less | Relation::Greater => step.saturating_mul(turns - 1).saturating_add(1),
        Relation::LessOrEqual | Relation::GreaterOrEqual => step.saturating_mul(turns - 1),
    };
    sink.i64_const(least).i64_ge_u();
    match relation {
        // Of steps of 1 nothing is left.
        Relation::NotEqual if step == 1 => return,
        Relation::NotEqual => {
            distance(condition, sink);
            sink.i64_const(step - 1).i64_and().i64_eqz();
        }
        _ => {
            value(condition.left, ty, sink);
            value(condition.right, ty, sink);
            compare(relation, ty, sink);
        }
    }
    sink.i32_and();
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
