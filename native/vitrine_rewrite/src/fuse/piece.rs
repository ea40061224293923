//! The code at the head of a copy loop: a call of a function that does many iterations at once. It does as many as are
//! certainly followed by another one, as far as everything that they access exists and may be written. The function
//! takes the loop's locals, and returns those that iterations change. The original iteration follows.
//!
//! So the original code does the last iteration, and any iteration that traps, reaches a bound or needs the kernel's
//! function. The loop is still a loop, which can be interrupted between two pieces. The remaining iterations are few,
//! so their calls are not fused.
//!
//! Loops of one form share the function. PDKs in C are inlined everywhere: a long piece of code in each loop would make
//! compiling them much slower.

use vitrine_kernel::layout::{HEAP_START, INPUT_LENGTH, INPUT_OFFSET, LOADABLE, PAGE_SHIFT, entry};
use wasm_encoder::{BlockType, Function, InstructionSink, ValType};

use super::copy_loop::{CopyLoop, Direction};
use super::inline::{Scratch, left_in_page, load_control, storable};
use super::linear::Linear;
use super::shift::shifted;

/// The most bytes that are loaded at once: some microseconds of work. The bytes that are stored at once end with a page
/// of the kernel's memory, at the latest.
const PIECE: i64 = 32 << 10;

/// Writes the call of the function that does iterations of a loop with these locals.
pub(super) fn call(copy: &CopyLoop, function: u32, locals: &[u32], sink: &mut InstructionSink<'_>) {
    for local in locals {
        sink.local_get(*local);
    }
    sink.call(function);
    for local in locals.iter().take(copy.steps.len()).rev() {
        sink.local_set(*local);
    }
}

/// Writes the code that does iterations of a loop with these locals.
pub(super) fn inline(
    copy: &CopyLoop,
    kernel: u32,
    locals: &[u32],
    scratch: Scratch,
    sink: &mut InstructionSink<'_>,
) {
    let piece = Piece {
        copy: &copy.renamed(&mut |local| locals[local as usize]),
        locals,
        kernel,
        memory: shifted(copy.transfer.memory, kernel),
        scratch,
    };
    piece.measure(sink);
    piece.check(sink);
    sink.if_(BlockType::Empty);
    piece.copy(sink);
    piece.step(sink);
    sink.end();
}

/// The function that does iterations of loops of one form.
pub(super) fn function(copy: &CopyLoop, kernel: u32) -> Function {
    let mut function = Function::new(Scratch::TYPES);
    let locals: Vec<u32> = (0..copy.params.len() as u32).collect();
    let (scratch, mut sink) = (Scratch::from(locals.len() as u32), function.instructions());
    inline(copy, kernel, &locals, scratch, &mut sink);
    for local in locals.iter().take(copy.steps.len()) {
        sink.local_get(*local);
    }
    sink.end();
    function
}

/// The code that does many iterations at once.
struct Piece<'a> {
    copy: &'a CopyLoop,
    locals: &'a [u32],
    kernel: u32,
    /// The index of the guest's memory.
    memory: u32,
    scratch: Scratch,
}

impl Piece<'_> {
    /// Computes the source, the destination and the length, so that only the bounds remain to be checked. The number of
    /// bytes that are left in the page in which a store begins stays in a scratch local.
    fn measure(&self, sink: &mut InstructionSink<'_>) {
        let Scratch {
            offset,
            wide,
            address,
            bytes,
            ..
        } = self.scratch;
        let width = self.copy.transfer.width;
        // A condition within an iteration must also hold in the next one, which sets the locals that are only used
        // within iterations.
        let within = self.copy.within.iter().map(|within| (within, true));
        let again = self.copy.again.iter().map(|again| (again, false));
        for (nth, (condition, is_within)) in within.chain(again).enumerate() {
            condition.bytes(width, wide, sink);
            if is_within {
                sink.i64_const(width.into()).i64_sub();
            }
            if nth > 0 {
                self.least(sink);
            }
            sink.local_set(bytes);
        }
        self.kernel_from().emit(ValType::I64, sink);
        sink.local_set(offset);
        self.copy.guest.emit(ValType::I32, sink);
        sink.i64_extend_i32_u();
        if self.copy.guest_offset > 0 {
            let more = self.copy.guest_offset.cast_signed();
            sink.i64_const(more).i64_add();
        }
        sink.local_set(address);
        match self.copy.transfer.direction {
            Direction::Load | Direction::Input => sink.i64_const(PIECE),
            Direction::Store => {
                sink.local_get(offset);
                left_in_page(sink);
                sink.i64_const(1).i64_add()
            }
        };
        self.least(sink);
        if width > 1 {
            sink.i64_const(-i64::from(width)).i64_and();
        }
        sink.local_set(bytes);
    }

    /// Replaces the number on the stack by the lesser of it and the bytes, as signed numbers.
    fn least(&self, sink: &mut InstructionSink<'_>) {
        let Scratch { wide, bytes, .. } = self.scratch;
        sink.local_tee(wide).local_get(bytes);
        sink.local_get(wide).local_get(bytes);
        sink.i64_lt_s().select();
    }

    /// The offset at which the copying begins: in the kernel's memory, in its heap, or in the input.
    fn kernel_from(&self) -> Linear {
        match self.copy.transfer.direction {
            Direction::Load => self.copy.kernel.plus(-i64::from(HEAP_START)),
            Direction::Input | Direction::Store => self.copy.kernel,
        }
    }

    /// Pushes whether all bytes can be copied, and there are any.
    fn check(&self, sink: &mut InstructionSink<'_>) {
        let Scratch {
            offset,
            wide,
            address,
            bytes,
            ..
        } = self.scratch;
        sink.local_get(address).local_get(bytes).i64_add();
        sink.memory_size(self.memory).i64_extend_i32_u();
        sink.i64_const(PAGE_SHIFT.into()).i64_shl();
        sink.i64_le_u();
        sink.local_get(bytes).i64_const(1).i64_sub();
        let limit = match self.copy.transfer.direction {
            Direction::Load => LOADABLE,
            Direction::Input => INPUT_LENGTH,
            // The bytes that follow the first one in its page, and the first one itself.
            Direction::Store => {
                sink.i64_const(0).i64_ge_s().i32_and();
                sink.local_get(wide);
                storable(offset, entry::STORABLE, self.kernel, sink);
                sink.i64_le_u().i32_and();
                return;
            }
        };
        // Neither may be below 0, so that the sum does not wrap.
        sink.local_get(offset).i64_or();
        sink.i64_const(0).i64_ge_s().i32_and();
        sink.local_get(offset).local_get(bytes).i64_add();
        load_control(limit, self.kernel, sink);
        sink.i64_le_u().i32_and();
    }

    fn copy(&self, sink: &mut InstructionSink<'_>) {
        let Scratch {
            offset,
            address,
            bytes,
            ..
        } = self.scratch;
        let guest = |sink: &mut InstructionSink<'_>| {
            sink.local_get(address).i32_wrap_i64();
        };
        let (from, to) = match self.copy.transfer.direction {
            Direction::Store => {
                sink.local_get(offset).i32_wrap_i64();
                guest(sink);
                (self.memory, self.kernel)
            }
            Direction::Load => {
                guest(sink);
                sink.local_get(offset).i32_wrap_i64();
                sink.i32_const(HEAP_START.cast_signed()).i32_add();
                (self.kernel, self.memory)
            }
            Direction::Input => {
                guest(sink);
                sink.local_get(offset);
                load_control(INPUT_OFFSET, self.kernel, sink);
                sink.i64_add().i32_wrap_i64();
                (self.kernel, self.memory)
            }
        };
        sink.local_get(bytes).i32_wrap_i64();
        sink.memory_copy(to, from);
    }

    /// Adds to the locals the numbers that the iterations would have added.
    fn step(&self, sink: &mut InstructionSink<'_>) {
        let width = i64::from(self.copy.transfer.width);
        let steps = self.copy.steps.iter().zip(&self.copy.params);
        for (local, (step, ty)) in self.locals.iter().zip(steps) {
            sink.local_get(*local).local_get(self.scratch.bytes);
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
            sink.local_set(*local);
        }
    }
}
