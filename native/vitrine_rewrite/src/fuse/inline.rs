//! The code that replaces a call: a check by the kernel's layout, then the load or the store, or else the call itself.
//!
//! For `load_u64`, whose operand, the offset, is on the stack:
//!
//! ```wat
//! local.tee $offset
//! i64.const HEAP_START
//! i64.sub
//! i32.const 0
//! i64.load $kernel offset=LOADABLE
//! i64.lt_u
//! if (result i64)
//!   local.get $offset
//!   i32.wrap_i64
//!   i64.load $kernel align=1
//! else
//!   local.get $offset
//!   call $load_u64
//! end
//! ```

use vitrine_kernel::layout::{
    ENTRY_SIZE, HEAP_START, INPUT_LENGTH, INPUT_LOADABLE_U64, INPUT_OFFSET, LEFT_IN_PAGE, LOADABLE,
    MAX_PAGES, PAGE_SHIFT, PAGE_SIZE, PAGE_TABLE, entry,
};
use wasm_encoder::{BlockType, InstructionSink, MemArg, ValType};

use super::accessor::Accessor;

/// The locals that are added to a function for the code here.
#[derive(Clone, Copy)]
pub(super) struct Scratch {
    /// An `i64`.
    pub(super) offset: u32,
    /// An `i64`.
    pub(super) wide: u32,
    /// Two more `i64`.
    pub(super) address: u32,
    pub(super) bytes: u32,
    /// An `i32`.
    pub(super) narrow: u32,
}

impl Scratch {
    /// The number of the locals, and their types in the order of their indices.
    pub(super) const COUNT: usize = 5;
    pub(super) const TYPES: [(u32, ValType); 2] = [(4, ValType::I64), (1, ValType::I32)];

    /// The locals from an index on.
    pub(super) fn from(first: u32) -> Self {
        Scratch {
            offset: first,
            wide: first + 1,
            address: first + 2,
            bytes: first + 3,
            narrow: first + 4,
        }
    }
}

/// The immediate of an access to a memory.
pub(super) fn place(memory_index: u32, offset: u32) -> MemArg {
    MemArg {
        offset: offset.into(),
        align: 0,
        memory_index,
    }
}

/// Writes the code that replaces a call of `function`, which is the `accessor`.
pub(super) fn inline(
    accessor: Accessor,
    function: u32,
    kernel: u32,
    scratch: Scratch,
    sink: &mut InstructionSink<'_>,
) {
    let Scratch {
        offset,
        wide,
        narrow,
        ..
    } = scratch;
    match accessor {
        Accessor::LoadU8 | Accessor::LoadU64 => {
            sink.local_tee(offset)
                .i64_const(HEAP_START.into())
                .i64_sub();
            load_control(LOADABLE, kernel, sink);
            sink.i64_lt_u();
            let wide = accessor == Accessor::LoadU64;
            sink.if_(result(wide)).local_get(offset);
            load(wide, kernel, sink);
            sink.else_().local_get(offset).call(function).end();
        }
        Accessor::InputLoadU8 | Accessor::InputLoadU64 => {
            let wide = accessor == Accessor::InputLoadU64;
            let length = if wide {
                INPUT_LOADABLE_U64
            } else {
                INPUT_LENGTH
            };
            sink.local_tee(offset);
            load_control(length, kernel, sink);
            sink.i64_lt_u().if_(result(wide)).local_get(offset);
            load_control(INPUT_OFFSET, kernel, sink);
            sink.i64_add();
            load(wide, kernel, sink);
            sink.else_().local_get(offset).call(function).end();
        }
        Accessor::InputLength => {
            load_control(INPUT_LENGTH, kernel, sink);
            sink.local_tee(wide).i64_eqz().if_(result(true));
            sink.call(function).else_().local_get(wide).end();
        }
        Accessor::StoreU8 => {
            sink.local_set(narrow).local_tee(offset);
            left_in_page(sink);
            storable(offset, entry::STORABLE, kernel, sink);
            sink.i64_lt_u().if_(BlockType::Empty);
            sink.local_get(offset).i32_wrap_i64().local_get(narrow);
            sink.i32_store8(place(kernel, 0)).else_();
            sink.local_get(offset)
                .local_get(narrow)
                .call(function)
                .end();
        }
        Accessor::StoreU64 => {
            sink.local_set(wide).local_tee(offset);
            left_in_page(sink);
            sink.i64_const(7).i64_sub();
            storable(offset, entry::STORABLE_U64, kernel, sink);
            sink.i64_lt_u().if_(BlockType::Empty);
            sink.local_get(offset).i32_wrap_i64().local_get(wide);
            sink.i64_store(place(kernel, 0)).else_();
            sink.local_get(offset).local_get(wide).call(function).end();
        }
    }
}

fn result(wide: bool) -> BlockType {
    BlockType::Result(if wide { ValType::I64 } else { ValType::I32 })
}

fn load(wide: bool, kernel: u32, sink: &mut InstructionSink<'_>) {
    sink.i32_wrap_i64();
    match wide {
        true => sink.i64_load(place(kernel, 0)),
        false => sink.i32_load8_u(place(kernel, 0)),
    };
}

/// Pushes a field of the kernel's control block.
pub(super) fn load_control(field: u32, kernel: u32, sink: &mut InstructionSink<'_>) {
    sink.i32_const(0).i64_load(place(kernel, field));
}

/// Replaces an address by the number of bytes that follow it in its page, or by a large number if it is not an address
/// of the kernel's memory.
pub(super) fn left_in_page(sink: &mut InstructionSink<'_>) {
    sink.i64_const(i64::from(PAGE_SIZE - 1)).i64_xor();
    sink.i64_const(LEFT_IN_PAGE.cast_signed()).i64_and();
}

/// Pushes a field of the page table's entry for the page of the address in a local. There is an entry for any address.
pub(super) fn storable(address: u32, field: u32, kernel: u32, sink: &mut InstructionSink<'_>) {
    let shift = PAGE_SHIFT - ENTRY_SIZE.trailing_zeros();
    let mask = (MAX_PAGES - 1) * ENTRY_SIZE;
    sink.local_get(address)
        .i64_const(shift.into())
        .i64_shr_u()
        .i32_wrap_i64()
        .i32_const(mask.cast_signed())
        .i32_and()
        .i64_load32_u(place(kernel, PAGE_TABLE + field));
}
