//! Interruption of long instructions: that there are checks, and how often.

use vitrine_rewrite::bulk::make_interruptible;
use wasmtime::{Instance, Module, Store, UpdateDeadline, Val};

use crate::support::{ENGINE, binary, i32s};

/// The default chunk, in bytes.
const CHUNK: usize = 32 << 10;
const SIZE: usize = 1 << 30;

/// The observations of the checks during a call.
#[derive(Default)]
struct Seen {
    checks: usize,
    /// How much of the memory is filled, from its end.
    filled: usize,
    /// The most that was filled between two checks.
    longest: usize,
}

/// Calls `name`; the epoch's deadline is always past, so that every check is noted.
fn call(wasm: &[u8], name: &str, args: &[Val]) -> Seen {
    let module = Module::new(&ENGINE, wasm).expect("a module");
    let mut store = Store::new(&ENGINE, Seen::default());
    store.set_epoch_deadline(1);
    let instance = Instance::new(&mut store, &module, &[]).expect("an instance");
    let memory = instance.get_memory(&mut store, "m").expect("a memory");
    store.epoch_deadline_callback(move |mut context| {
        let (bytes, seen) = memory.data_and_store_mut(&mut context);
        let rest = &bytes[..bytes.len() - seen.filled];
        // Whole chunks at most, so that one look at each suffices.
        let new = rest
            .rchunks(CHUNK)
            .take_while(|chunk| chunk.first() == Some(&1))
            .count();
        seen.filled += new * CHUNK;
        seen.longest = seen.longest.max(new * CHUNK);
        seen.checks += 1;
        Ok(UpdateDeadline::Continue(0))
    });
    store.set_epoch_deadline(0);
    let function = instance.get_func(&mut store, name).expect("a function");
    function.call(&mut store, args, &mut []).expect("a call");
    store.into_data()
}

#[test]
fn a_gibibyte_is_filled_in_chunks() {
    let wasm = binary(
        r#"(module (memory (export "m") 16384)
             (func (export "fill") (param i32)
               (memory.fill (i32.const 0) (i32.const 1) (local.get 0))))"#,
    );
    let original = call(&wasm, "fill", &i32s(&[SIZE as u32]));
    assert!(
        original.checks < 5,
        "{} checks: is this needed at all?",
        original.checks
    );

    let wasm = make_interruptible(&wasm).expect("a module");
    let seen = call(&wasm, "fill", &i32s(&[SIZE as u32]));
    assert!(seen.checks >= SIZE / CHUNK, "{} checks", seen.checks);
    assert_eq!(seen.longest, CHUNK);
    assert_eq!(
        seen.filled,
        SIZE - CHUNK,
        "only the last chunk comes after the last check"
    );
}

/// There, the end is 0 in 32 bits.
#[test]
fn a_fill_at_the_end_of_the_largest_memory_can_be_interrupted() {
    let wasm = binary(
        r#"(module (memory (export "m") 65536)
             (func (export "fill") (param i32 i32)
               (memory.fill (local.get 0) (i32.const 1) (local.get 1)))
             (func (export "copy") (param i32 i32)
               (memory.copy (i32.const 7) (local.get 0) (local.get 1))))"#,
    );
    let wasm = make_interruptible(&wasm).expect("a module");
    let length = 4_000_000_u32;
    for name in ["fill", "copy"] {
        let seen = call(&wasm, name, &i32s(&[0_u32.wrapping_sub(length), length]));
        assert!(seen.checks >= 122, "{name}: {} checks", seen.checks);
    }
}

#[test]
fn every_other_bulk_instruction_is_checked_for_each_chunk() {
    let wasm = binary(
        r#"(module (memory (export "m") 64)
             (table $t 40000 funcref)
             (type $a (array (mut i32)))
             (global $a (mut (ref null $a)) (ref.null $a))
             (func (export "forward") (param i32)
               (memory.copy (i32.const 0) (i32.const 1) (local.get 0)))
             (func (export "backward") (param i32)
               (memory.copy (i32.const 1) (i32.const 0) (local.get 0)))
             (func (export "constant") (param i32)
               (memory.fill (i32.const 0) (i32.const 1) (i32.const 4000000)))
             (func (export "table_fill") (param i32)
               (table.fill $t (i32.const 0) (ref.null func) (local.get 0)))
             (func (export "table_copy") (param i32)
               (table.copy $t $t (i32.const 0) (i32.const 1) (local.get 0)))
             (func (export "array_fill") (param i32)
               (global.set $a (array.new_default $a (local.get 0)))
               (array.fill $a (global.get $a) (i32.const 0) (i32.const 3) (local.get 0)))
             (func (export "array_copy") (param i32)
               (global.set $a (array.new_default $a (local.get 0)))
               (array.copy $a $a (global.get $a) (i32.const 0) (global.get $a) (i32.const 0) (local.get 0))))"#,
    );
    let wasm = make_interruptible(&wasm).expect("a module");
    for (name, length, chunks) in [
        ("forward", 4_000_000, 122),
        ("backward", 4_000_000, 122),
        ("constant", 0, 122),
        ("table_fill", 39_999, 39),
        ("table_copy", 39_999, 39),
        ("array_fill", 39_999, 39),
        ("array_copy", 39_999, 39),
    ] {
        let seen = call(&wasm, name, &i32s(&[length]));
        assert!(seen.checks >= chunks, "{name}: {} checks", seen.checks);
        let short = call(&wasm, name, &i32s(&[10]));
        assert!(
            name == "constant" || short.checks < 5,
            "{name}: {} checks",
            short.checks
        );
    }
}
