//! What stands at the head of a copy loop: a call of a function that does at once as many turns as are
//! certainly followed by another, as far as all that they access is there and may be written. It
//! takes the loop's locals, and gives those back that turns change. Then comes the turn as it was.
//!
//! So the loop does its last turn, and whatever traps, finds a bound or needs the kernel's function,
//! as it always did; and it is a loop still, which can be interrupted between pieces. As the turns
//! that are left are few, their calls are not fused.
//!
//! Loops of one form share the function. PDKs in C are inlined everywhere: code of some length in each
//! loop would make compiling them much longer.

use vitrine_kernel::layout::{HEAP_START, INPUT_LENGTH, INPUT_OFFSET, LOADABLE, PAGE_SHIFT, entry};
use wasm_encoder::{BlockType, Function, InstructionSink, ValType};

use super::copy_loop::{CopyLoop, Direction, Found};
use super::inline::{left_in_page, load_control, storable};
use super::shift::shifted;

/// The most that is loaded at once, in bytes: some microseconds. What is stored at once ends with a
/// page of the kernel's memory.
const PIECE: i64 = 32 << 10;

/// Writes what comes first in the loop. `turns` is the index of the function that does turns.
pub(super) fn head(found: &Found, turns: u32, sink: &mut InstructionSink<'_>) {
    for local in &found.locals {
        sink.local_get(*local);
    }
    sink.call(turns);
    let changed = found.locals.iter().take(found.copy.steps.len());
    for local in changed.rev() {
        sink.local_set(*local);
    }
}

/// The function that does turns of such loops.
pub(super) fn turns(copy: &CopyLoop, kernel: u32) -> Function {
    let piece = Piece::of(copy, kernel);
    let mut function = Function::new([(4, ValType::I64)]);
    let mut sink = function.instructions();
    piece.measure(&mut sink);
    piece.check(&mut sink);
    sink.if_(BlockType::Empty);
    piece.copy(&mut sink);
    piece.step(&mut sink);
    sink.end();
    for param in 0..copy.steps.len() as u32 {
        sink.local_get(param);
    }
    sink.end();
    function
}

/// A function that does turns, and its locals behind the parameters, all of them `i64`.
struct Piece<'a> {
    loop_: &'a CopyLoop,
    kernel: u32,
    /// The index of the guest's memory.
    memory: u32,
    /// Where the copying begins in the kernel.
    offset: u32,
    /// And in the guest's memory.
    address: u32,
    /// How many bytes are copied.
    bytes: u32,
    scratch: u32,
}

impl<'a> Piece<'a> {
    fn of(loop_: &'a CopyLoop, kernel: u32) -> Self {
        let first = loop_.params.len() as u32;
        Piece {
            loop_,
            kernel,
            memory: shifted(loop_.transfer.memory, kernel),
            offset: first,
            address: first + 1,
            bytes: first + 2,
            scratch: first + 3,
        }
    }

    /// Computes from where to where, and how much, so that only the bounds are to be checked. What is
    /// left of the page in which a store begins stays in the scratch local.
    fn measure(&self, sink: &mut InstructionSink<'_>) {
        let (width, direction) = (self.loop_.transfer.width, self.loop_.transfer.direction);
        // What must hold within a turn must let the next one through, too: it sets the locals that
        // are only used within turns.
        let within = self.loop_.within.iter().map(|within| (within, true));
        let again = self.loop_.again.iter().map(|again| (again, false));
        for (nth, (condition, is_within)) in within.chain(again).enumerate() {
            condition.bytes(width, self.scratch, sink);
            if is_within {
                sink.i64_const(width.into()).i64_sub();
            }
            if nth > 0 {
                sink.local_set(self.scratch);
                self.least(sink);
            }
            sink.local_set(self.bytes);
        }
        self.loop_.kernel.emit(ValType::I64, sink);
        sink.local_set(self.offset);
        self.loop_.guest.emit(ValType::I32, sink);
        sink.i64_extend_i32_u();
        let more = self.loop_.guest_offset.cast_signed();
        sink.i64_const(more).i64_add().local_set(self.address);
        match direction {
            Direction::Load | Direction::Input => sink.i64_const(PIECE),
            Direction::Store => {
                sink.local_get(self.offset);
                left_in_page(sink);
                sink.i64_const(1).i64_add()
            }
        };
        sink.local_set(self.scratch);
        self.least(sink);
        sink.i64_const(-i64::from(width)).i64_and();
        sink.local_set(self.bytes);
    }

    /// Writes the lesser of the bytes and what is in the scratch local, as numbers with a sign.
    fn least(&self, sink: &mut InstructionSink<'_>) {
        sink.local_get(self.bytes).local_get(self.scratch);
        sink.local_get(self.bytes).local_get(self.scratch);
        sink.i64_lt_s().select();
    }

    /// Writes whether all of it can be copied, and is something.
    fn check(&self, sink: &mut InstructionSink<'_>) {
        sink.local_get(self.bytes).i64_const(0).i64_gt_s();
        sink.local_get(self.address).local_get(self.bytes).i64_add();
        sink.memory_size(self.memory).i64_extend_i32_u();
        sink.i64_const(PAGE_SHIFT.into()).i64_shl();
        sink.i64_le_u().i32_and();
        match self.loop_.transfer.direction {
            // The two ends: what is added may wrap.
            Direction::Load => {
                sink.local_get(self.offset);
                sink.i64_const(HEAP_START.into()).i64_sub();
                sink.local_tee(self.scratch);
                load_control(LOADABLE, self.kernel, sink);
                sink.i64_lt_u().i32_and();
                sink.local_get(self.scratch).local_get(self.bytes).i64_add();
                load_control(LOADABLE, self.kernel, sink);
                sink.i64_le_u().i32_and();
            }
            Direction::Input => {
                sink.local_get(self.offset);
                load_control(INPUT_LENGTH, self.kernel, sink);
                sink.i64_lt_u().i32_and();
                sink.local_get(self.offset).local_get(self.bytes).i64_add();
                load_control(INPUT_LENGTH, self.kernel, sink);
                sink.i64_le_u().i32_and();
            }
            // As much as follows the first byte in the page, and that itself.
            Direction::Store => {
                sink.local_get(self.scratch);
                storable(self.offset, entry::STORABLE, self.kernel, sink);
                sink.i64_le_u().i32_and();
            }
        }
    }

    fn copy(&self, sink: &mut InstructionSink<'_>) {
        let (from, to) = match self.loop_.transfer.direction {
            Direction::Store => {
                sink.local_get(self.offset).i32_wrap_i64();
                sink.local_get(self.address).i32_wrap_i64();
                (self.memory, self.kernel)
            }
            direction => {
                sink.local_get(self.address).i32_wrap_i64();
                sink.local_get(self.offset);
                if direction == Direction::Input {
                    load_control(INPUT_OFFSET, self.kernel, sink);
                    sink.i64_add();
                }
                sink.i32_wrap_i64();
                (self.kernel, self.memory)
            }
        };
        sink.local_get(self.bytes).i32_wrap_i64();
        sink.memory_copy(to, from);
    }

    /// Moves the parameters on.
    fn step(&self, sink: &mut InstructionSink<'_>) {
        let width = i64::from(self.loop_.transfer.width);
        for (param, (step, ty)) in (0..).zip(self.loop_.steps.iter().zip(&self.loop_.params)) {
            sink.local_get(param).local_get(self.bytes);
            if step.abs() != width {
                sink.i64_const(width.trailing_zeros().into()).i64_shr_u();
                sink.i64_const(step.abs()).i64_mul();
            }
            match (ty, *step < 0) {
                (ValType::I32, false) => sink.i32_wrap_i64().i32_add(),
                (ValType::I32, true) => sink.i32_wrap_i64().i32_sub(),
                (_, false) => sink.i64_add(),
                (_, true) => sink.i64_sub(),
            };
            sink.local_set(param);
        }
    }
}
