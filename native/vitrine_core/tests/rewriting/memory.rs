//! `memory.fill`, `memory.copy` and `memory.init`.

use vitrine_rewrite::bulk::Chunk;
use wasmtime::{Extern, Memory, MemoryType, Store, Trap, Val};

use crate::support::{Run, Runs, binary, i32s, i64s, rewritten};

const PAGE: u32 = 65536;
/// Offsets and lengths at which something could go wrong in a memory of a page.
const EDGES: [u32; 10] = [
    0,
    1,
    4,
    5,
    4097,
    33000,
    PAGE - 1,
    PAGE,
    PAGE + 1,
    u32::MAX - 7,
];
const FAR: [u64; 3] = [1 << 32, (1 << 32) + 5, u64::MAX - 3];

fn edges() -> Vec<Val> {
    i32s(&EDGES)
}

fn edges_64() -> Vec<Val> {
    let mut edges = EDGES.map(u64::from).to_vec();
    edges.extend(FAR);
    i64s(&edges)
}

/// Something in bounds and something out of bounds was tried.
fn assert_both((returned, trapped): (usize, usize)) {
    assert!(
        returned > 20 && trapped > 20,
        "{returned} returned, {trapped} trapped"
    );
}

#[test]
fn memory_fill_runs_the_same_at_every_bound() {
    let mut runs = Runs::new(&binary(
        r#"(module (memory (export "m") 1)
             (func (export "fill") (param i32 i32 i32)
               (memory.fill (local.get 0) (local.get 1) (local.get 2))))"#,
    ));
    assert_both(runs.sweep("fill", &[&edges(), &i32s(&[0x1ab]), &edges()]));
    let out = runs.call("fill", &i32s(&[10, 1, PAGE - 9]));
    assert_eq!(out, Err(Trap::MemoryOutOfBounds));
}

/// The length is compared in the helper, as there is no room for a local more.
#[test]
fn memory_fill_in_a_function_full_of_locals_runs_the_same() {
    let mut runs = Runs::new(&binary(&format!(
        r#"(module (memory (export "m") 1)
             (func (export "fill") (param i32 i32 i32) (local {})
               (memory.fill (local.get 0) (local.get 1) (local.get 2))))"#,
        "i32 ".repeat(49_996),
    )));
    assert_both(runs.sweep("fill", &[&edges(), &i32s(&[0x1ab]), &edges()]));
}

#[test]
fn memory_fill_of_a_64_bit_memory_runs_the_same() {
    let mut runs = Runs::new(&binary(
        r#"(module (memory (export "m") i64 1)
             (func (export "fill") (param i64 i32 i64)
               (memory.fill (local.get 0) (local.get 1) (local.get 2))))"#,
    ));
    assert_both(runs.sweep("fill", &[&edges_64(), &i32s(&[7]), &edges_64()]));
}

#[test]
fn memory_copy_within_a_memory_overlaps_in_both_directions() {
    let mut runs = Runs::new(&binary(
        r#"(module (memory (export "m") 1)
             (func (export "copy") (param i32 i32 i32)
               (memory.copy (local.get 0) (local.get 1) (local.get 2))))"#,
    ));
    assert_both(runs.sweep("copy", &[&edges(), &edges(), &edges()]));
    runs.call("copy", &i32s(&[0, 1, PAGE - 1]))
        .expect("forward");
    runs.call("copy", &i32s(&[1, 0, PAGE - 1]))
        .expect("backward");
}

#[test]
fn memory_copy_between_memories_of_all_index_types_runs_the_same() {
    for (dst, src) in [("", ""), ("i64", ""), ("", "i64"), ("i64", "i64")] {
        let index = |ty: &'static str| if ty.is_empty() { "i32" } else { ty };
        let length = if dst == src { index(dst) } else { "i32" };
        let (dst_ty, src_ty) = (index(dst), index(src));
        let mut runs = Runs::new(&binary(&format!(
            r#"(module (memory (export "d") {dst} 1) (memory (export "s") {src} 2)
                 (func (export "copy") (param {dst_ty} {src_ty} {length})
                   (memory.copy 0 1 (local.get 0) (local.get 1) (local.get 2))))"#,
        )));
        let args = [dst_ty, src_ty, length].map(|ty| match ty {
            "i64" => edges_64(),
            _ => edges(),
        });
        assert_both(runs.sweep("copy", &[&args[0], &args[1], &args[2]]));
    }
}

/// Two memories of the module are one: the offsets alone must decide on the direction.
#[test]
fn memory_copy_between_imports_of_one_memory_runs_the_same() {
    let wasm = binary(
        r#"(module (import "" "a" (memory 1)) (import "" "b" (memory 1)) (export "m" (memory 0))
             (func (export "copy") (param i32 i32 i32)
               (memory.copy 0 1 (local.get 0) (local.get 1) (local.get 2))))"#,
    );
    let imports = |store: &mut Store<()>| -> Vec<Extern> {
        let memory = Memory::new(store, MemoryType::new(1, None)).expect("a memory");
        vec![memory.into(), memory.into()]
    };
    let mut runs = Runs::with_imports(&wasm, imports);
    assert_both(runs.sweep("copy", &[&edges(), &edges(), &edges()]));
}

#[test]
fn memory_init_from_passive_dropped_and_active_segments_runs_the_same() {
    for (memory, ty) in [("", "i32"), ("i64", "i64")] {
        let data = "0123456789abcdefghijklmnopqrstuvwxyz";
        let mut runs = Runs::new(&binary(&format!(
            r#"(module (memory (export "m") {memory} 1)
                 (data $passive "{data}") (data $active (offset ({ty}.const 9)) "{data}")
                 (func (export "drop") (data.drop $passive))
                 (func (export "init") (param {ty} i32 i32)
                   (memory.init $passive (local.get 0) (local.get 1) (local.get 2)))
                 (func (export "active") (param {ty} i32 i32)
                   (memory.init $active (local.get 0) (local.get 1) (local.get 2))))"#,
        )));
        let to = if ty == "i64" { edges_64() } else { edges() };
        let within = i32s(&[0, 1, 4, 5, 17, 36, 37, u32::MAX - 3]);
        assert_both(runs.sweep("init", &[&to, &within, &within]));
        runs.sweep("active", &[&to, &within, &within]);
        runs.call("drop", &[]).expect("a drop");
        runs.sweep("init", &[&to, &within, &within]);
    }
}

/// Both the constant and the place count: before the instruction, or anywhere else.
#[test]
fn bulk_instructions_with_constant_lengths_run_the_same() {
    let mut runs = Runs::new(&binary(
        r#"(module (memory (export "m") 1)
             (func (export "fill") (memory.fill (i32.const 1) (i32.const 2) (i32.const 40000)))
             (func (export "out") (memory.fill (i32.const 1) (i32.const 2) (i32.const -1)))
             (func (export "short") (memory.fill (i32.const 1) (i32.const 2) (i32.const 4)))
             (func (export "block") (i32.const 1) (i32.const 2) (i32.const 3) (block) (memory.fill))
             (func (export "dead") unreachable memory.fill))"#,
    ));
    runs.call("fill", &[]).expect("a fill");
    assert_eq!(runs.call("out", &[]), Err(Trap::MemoryOutOfBounds));
    runs.call("short", &[]).expect("a short fill");
    runs.call("block", &[]).expect("a fill after a block");
    assert_eq!(runs.call("dead", &[]), Err(Trap::UnreachableCodeReached));
}

/// At 4 GiB an end is 0 in 32 bits, and in bounds.
#[test]
fn bulk_instructions_at_the_end_of_the_largest_memory_run_the_same() {
    let wasm = binary(
        r#"(module (memory (export "m") 65536)
             (func (export "fill") (param i32 i32 i32)
               (memory.fill (local.get 0) (local.get 1) (local.get 2)))
             (func (export "copy") (param i32 i32 i32)
               (memory.copy (local.get 0) (local.get 1) (local.get 2))))"#,
    );
    let chunk = Chunk {
        bytes: 100,
        elements: 3,
    };
    let mut runs = [&wasm, &rewritten(&wasm, chunk)].map(|wasm| Run::new(wasm, |_| vec![]));
    let start = 0_u32.wrapping_sub(2000);
    let calls = [
        ("fill", [start, 5, 2000]),
        ("fill", [start + 1000, 6, 1000]),
        ("copy", [start - 50, start, 2000]),
        ("copy", [start + 20, start, 1980]),
        ("fill", [start + 1, 7, 2000]),
        ("copy", [start, start + 1, 2000]),
        ("copy", [start + 1, start, 2000]),
    ];
    for (name, args) in calls {
        let [original, new] = runs.each_mut().map(|run| {
            let result = run.call(name, &i32s(&args));
            (
                result,
                run.memories[0].data(&run.store)[start as usize - 100..].to_vec(),
            )
        });
        assert!(
            original == new,
            "{name} {args:?}: {:?} {:?}",
            original.0,
            new.0
        );
    }
}
