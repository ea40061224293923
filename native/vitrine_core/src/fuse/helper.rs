//! The functions that copy many bytes at once: one for each kind of transfer that the module's
//! loops do.
//!
//! A helper takes the kernel's offset, the guest's address and how many turns there are; it says
//! how many of them it did. It does none that would trap or find a bound: those are left to the
//! loop, which does them as it always did. Copying is done in pieces, each in a turn of a loop, so
//! that it can be interrupted.

use std::collections::HashMap;

use vitrine_kernel::layout::{HEAP_START, INPUT_LENGTH, INPUT_OFFSET, LOADABLE, PAGE_SHIFT, entry};
use wasm_encoder::{BlockType, Function, InstructionSink, ValType};

use super::copy_loop::{Direction, Transfer};
use super::inline::{left_in_page, load_control, place, storable};
use super::survey::Survey;

/// What every engine accepts of types and of functions.
const MAX_TYPES: u32 = 1_000_000;
const MAX_FUNCTIONS: u32 = 1_000_000;

/// Bytes that are copied at once, some microseconds' worth.
const PIECE: i64 = 32 << 10;

/// The parameters, and a local.
const OFFSET: u32 = 0;
const ADDRESS: u32 = 1;
const TURNS: u32 = 2;
const PIECE_NOW: u32 = 3;
const LEFT: u32 = 4;
const LIMIT: u32 = 5;

/// The helpers that a module needs.
pub(super) struct Helpers<'s, 'a> {
    survey: &'s Survey<'a>,
    known: HashMap<Transfer, u32>,
    list: Vec<Transfer>,
}

impl<'s, 'a> Helpers<'s, 'a> {
    pub(super) fn new(survey: &'s Survey<'a>) -> Self {
        Helpers {
            survey,
            known: HashMap::new(),
            list: Vec::new(),
        }
    }

    /// The index of the function for a transfer, if the module has room for it.
    pub(super) fn of(&mut self, transfer: Transfer) -> Option<u32> {
        if let Some(function) = self.known.get(&transfer) {
            return Some(*function);
        }
        let function = self.survey.next_function() + self.list.len() as u32;
        if function >= MAX_FUNCTIONS || self.survey.next_type() >= MAX_TYPES {
            return None;
        }
        self.known.insert(transfer, function);
        self.list.push(transfer);
        Some(function)
    }

    /// The type of all of them, to be added if there are any.
    pub(super) fn ty(&self) -> Option<([ValType; 3], [ValType; 1])> {
        (!self.list.is_empty()).then_some(([ValType::I64; 3], [ValType::I64]))
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// The index and the name of each.
    pub(super) fn names(&self) -> impl Iterator<Item = (u32, &'static str)> {
        let first = self.survey.next_function();
        (first..).zip(self.list.iter().map(|transfer| match transfer.direction {
            Direction::Load => "vitrine.copy.load",
            Direction::Input => "vitrine.copy.input",
            Direction::Store { .. } => "vitrine.copy.store",
        }))
    }

    /// Their code.
    pub(super) fn code(&self) -> impl Iterator<Item = Function> {
        let kernel = self.survey.kernel_memory();
        self.list.iter().map(move |&transfer| {
            let memory = transfer.memory + u32::from(transfer.memory >= kernel);
            code(transfer, memory, kernel)
        })
    }
}

/// The code of a helper, for the guest's memory and the kernel's by their new indices.
fn code(transfer: Transfer, memory: u32, kernel: u32) -> Function {
    let mut function = Function::new([(3, ValType::I64)]);
    let mut sink = function.instructions();
    let sink = &mut sink;
    let shift = transfer.width.trailing_zeros().into();
    // The guest's memory from the address on.
    sink.memory_size(memory).i64_extend_i32_u();
    sink.i64_const(PAGE_SHIFT.into()).i64_shl().local_set(LIMIT);
    bound(ADDRESS, 0, shift, sink);
    match transfer.direction {
        Direction::Load => {
            load_control(LOADABLE, kernel, sink);
            sink.local_set(LIMIT);
            sink.local_get(OFFSET)
                .i64_const(HEAP_START.into())
                .i64_sub();
            sink.local_set(PIECE_NOW);
            // The limit is one of first bytes.
            bound(PIECE_NOW, i64::from(transfer.width) - 1, shift, sink);
            copy_here(memory, kernel, shift, sink);
        }
        Direction::Input => {
            load_control(INPUT_LENGTH, kernel, sink);
            sink.local_set(LIMIT);
            bound(OFFSET, 0, shift, sink);
            sink.local_get(OFFSET);
            load_control(INPUT_OFFSET, kernel, sink);
            sink.i64_add().local_set(OFFSET);
            copy_here(memory, kernel, shift, sink);
        }
        Direction::Store { function } => copy_there(transfer, function, memory, kernel, sink),
    }
    sink.local_get(TURNS).end();
    function
}

/// Makes it no more turns than there is room for between a local and `LIMIT`, if that many more bytes
/// are added to the room that there is.
fn bound(from: u32, more: i64, shift: i64, sink: &mut InstructionSink<'_>) {
    sink.local_get(TURNS);
    sink.local_get(LIMIT).local_get(from).i64_sub();
    sink.i64_const(more).i64_add();
    sink.i64_const(shift).i64_shr_u().i64_const(0);
    sink.local_get(from).local_get(LIMIT).i64_lt_u().select();
    sink.local_tee(LEFT);
    sink.local_get(TURNS).local_get(LEFT).i64_lt_u().select();
    sink.local_set(TURNS);
}

/// Copies that many turns' bytes, which can be read and written, from the kernel to the guest.
fn copy_here(memory: u32, kernel: u32, shift: i64, sink: &mut InstructionSink<'_>) {
    sink.local_get(TURNS)
        .i64_const(shift)
        .i64_shl()
        .local_set(LEFT);
    sink.block(BlockType::Empty).loop_(BlockType::Empty);
    sink.local_get(LEFT).i64_eqz().br_if(1);
    sink.local_get(LEFT).i64_const(PIECE);
    sink.local_get(LEFT).i64_const(PIECE).i64_lt_u().select();
    sink.local_set(PIECE_NOW);
    sink.local_get(ADDRESS).i32_wrap_i64();
    sink.local_get(OFFSET).i32_wrap_i64();
    sink.local_get(PIECE_NOW).i32_wrap_i64();
    sink.memory_copy(memory, kernel);
    advance(sink);
    sink.local_get(LEFT)
        .local_get(PIECE_NOW)
        .i64_sub()
        .local_set(LEFT);
    sink.br(0).end().end();
}

/// Copies that many turns' bytes, which can be read, from the guest to the kernel. A turn whose
/// store the page table does not allow is left to the kernel's function, which may then find it
/// does.
fn copy_there(
    transfer: Transfer,
    function: u32,
    memory: u32,
    kernel: u32,
    sink: &mut InstructionSink<'_>,
) {
    let width = i64::from(transfer.width);
    let shift = transfer.width.trailing_zeros().into();
    sink.local_get(TURNS)
        .i64_const(shift)
        .i64_shl()
        .local_set(LEFT);
    sink.block(BlockType::Empty).loop_(BlockType::Empty);
    sink.local_get(LEFT).i64_eqz().br_if(1);
    // Whole turns that end in the page, or what is left.
    sink.local_get(OFFSET);
    left_in_page(sink);
    sink.i64_const(1).i64_add().i64_const(-width).i64_and();
    sink.local_tee(PIECE_NOW).local_get(LEFT);
    sink.local_get(PIECE_NOW)
        .local_get(LEFT)
        .i64_lt_u()
        .select();
    sink.local_set(PIECE_NOW);
    sink.local_get(OFFSET);
    left_in_page(sink);
    storable(OFFSET, entry::STORABLE, kernel, sink);
    sink.i64_lt_u()
        .local_get(PIECE_NOW)
        .i64_const(0)
        .i64_ne()
        .i32_and();
    sink.if_(BlockType::Empty);
    sink.local_get(OFFSET).i32_wrap_i64();
    sink.local_get(ADDRESS).i32_wrap_i64();
    sink.local_get(PIECE_NOW).i32_wrap_i64();
    sink.memory_copy(kernel, memory);
    sink.else_();
    sink.i64_const(width).local_set(PIECE_NOW);
    sink.local_get(OFFSET).local_get(ADDRESS).i32_wrap_i64();
    match transfer.width {
        1 => sink.i32_load8_u(place(memory, 0)),
        _ => sink.i64_load(place(memory, 0)),
    };
    sink.call(function).end();
    advance(sink);
    sink.local_get(LEFT)
        .local_get(PIECE_NOW)
        .i64_sub()
        .local_set(LEFT);
    sink.br(0).end().end();
}

/// Moves on by a piece.
fn advance(sink: &mut InstructionSink<'_>) {
    for local in [OFFSET, ADDRESS] {
        sink.local_get(local)
            .local_get(PIECE_NOW)
            .i64_add()
            .local_set(local);
    }
}
