//! Tests of `priv/kernel.wasm` as plugins use it: through the exports of an instance.
//!
//! The kernel's own tests are in `kernel/tests`. These check that the committed module keeps the contract.

mod kernel_support;

use kernel_support::{KERNEL, Wasm};
use vitrine_kernel::layout::{HEAP_START, MIN_PAGES, PAGE_SIZE};
use wasmtime::{Engine, Module};

#[test]
fn the_exports_have_the_names_and_types_of_the_contract() {
    let module = Module::new(&Engine::default(), KERNEL).expect("a valid module");
    assert_eq!(module.imports().len(), 0);
    let mut exports: Vec<String> = module
        .exports()
        .filter_map(|export| {
            let of = |types: &mut dyn Iterator<Item = wasmtime::ValType>| {
                types
                    .map(|one| one.to_string())
                    .collect::<Vec<_>>()
                    .join(" ")
            };
            let function = export.ty().func().cloned()?;
            let (params, results) = (of(&mut function.params()), of(&mut function.results()));
            Some(format!("{} ({params}) ({results})", export.name()))
        })
        .collect();
    exports.sort();
    let expected = [
        "alloc (i64) (i64)",
        "error_get () (i64)",
        "error_set (i64) ()",
        "free (i64) ()",
        "input_length () (i64)",
        "input_load_u64 (i64) (i64)",
        "input_load_u8 (i64) (i32)",
        "input_offset () (i64)",
        "input_set (i64 i64) ()",
        "length (i64) (i64)",
        "length_unsafe (i64) (i64)",
        "load_u64 (i64) (i64)",
        "load_u8 (i64) (i32)",
        "memory_bytes () (i64)",
        "output_length () (i64)",
        "output_offset () (i64)",
        "output_set (i64 i64) ()",
        "reset () ()",
        "store_u64 (i64 i64) ()",
        "store_u8 (i64 i32) ()",
    ];
    assert_eq!(exports, expected);

    let memory = module.get_export("memory").expect("the memory");
    let memory = memory.memory().expect("the memory");
    assert_eq!(
        (memory.minimum(), memory.maximum()),
        (MIN_PAGES.into(), None)
    );
    assert!(!memory.is_64() && !memory.is_shared());
}

#[test]
fn the_memory_is_all_zero_at_the_start() {
    let mut wasm = Wasm::new();
    assert!(wasm.memory.data(&wasm.store).iter().all(|&byte| byte == 0));
    assert_eq!(
        wasm.call::<_, u64>("memory_bytes", ()),
        u64::from(MIN_PAGES * PAGE_SIZE - HEAP_START)
    );
}

#[test]
fn blocks_are_reused_and_have_the_length_asked_for() {
    let mut wasm = Wasm::new();
    assert_eq!(wasm.alloc(0), 0);

    let first = wasm.alloc_checked(65_535);
    for inside in 1..5 {
        assert_eq!(wasm.length(first + inside), 0);
    }
    for length in [65_535, 65_535 - 24] {
        wasm.free(first);
        assert_eq!(wasm.alloc_checked(length), first);
    }
    wasm.free(first);

    for length in (1..=64).rev() {
        let block = wasm.alloc_checked(length);
        assert_ne!(block, 0);
        wasm.free(block);
    }

    let pages = wasm.alloc_checked(6_553_600);
    wasm.free(pages);
    let page = wasm.alloc_checked(65_536);
    let more_than_a_page = wasm.alloc_checked(66_560);
    assert!(pages > 0 && page > 0 && more_than_a_page > 0);
    wasm.free(more_than_a_page);

    wasm.call::<_, ()>("reset", ());
    assert_eq!(wasm.alloc_checked(66_560), first);
    assert!(first < more_than_a_page);
    assert_eq!(wasm.length(more_than_a_page), 0);
}

/// Upstream reuses freed blocks only when its memory is exhausted, and its test has the second
/// block elsewhere. Reusing the one that is still in the processor's cache is what an allocator
/// should do; no plugin can depend on where blocks are.
#[test]
fn unlike_upstream_a_small_block_is_reused_at_once() {
    let mut wasm = Wasm::new();
    let one = wasm.alloc_checked(1);
    wasm.free(one);
    assert_eq!(wasm.alloc_checked(2), one);
}

/// Upstream's first handle is 77 and each next one follows the last block closely. Handles are
/// opaque.
#[test]
fn unlike_upstream_handles_are_aligned_and_above_the_kernels_own_data() {
    let mut wasm = Wasm::new();
    for length in [1, 3, 100, 20_000] {
        let block = wasm.alloc_checked(length);
        assert!(block >= u64::from(HEAP_START) && block.is_multiple_of(16));
    }
}

/// Upstream traps at the end of its memory, writes into its own data just below the heap, and
/// believes lengths that wrap.
#[test]
fn unlike_upstream_the_edges_of_the_memory_are_safe() {
    let mut wasm = Wasm::new();
    let end = u64::from(MIN_PAGES * PAGE_SIZE);
    let block = wasm.alloc_checked(10);
    wasm.call::<_, ()>("output_set", (block, 10u64));
    for near in 0..30 {
        for offset in [
            end - 15 + near,
            u64::from(HEAP_START) - 15 + near,
            50 + near,
            u64::MAX - near,
        ] {
            wasm.length(offset);
            wasm.free(offset);
            wasm.call::<_, u32>("load_u8", offset);
            wasm.call::<_, u64>("load_u64", offset);
            wasm.call::<_, ()>("store_u8", (offset, 1u32));
            wasm.call::<_, ()>("store_u64", (offset, u64::MAX));
            wasm.call::<_, ()>("output_set", (offset, u64::MAX - near));
        }
    }
    for length in [1 << 32, 1 << 48, u64::MAX - 12, u64::MAX] {
        assert_eq!(wasm.alloc(length), 0);
    }
    assert_eq!(wasm.length(block), 10);
    assert_eq!(wasm.call::<_, u64>("output_offset", ()), block);
    assert_eq!(wasm.call::<_, u64>("output_length", ()), 10);
}

#[test]
fn error_get_gives_what_error_set_was_given() {
    let mut wasm = Wasm::new();
    let block = wasm.alloc(512);
    wasm.call::<_, ()>("error_set", block);
    assert_eq!(wasm.call::<_, u64>("error_get", ()), block);
}

#[test]
fn loads_give_what_was_stored() {
    let mut wasm = Wasm::new();
    let block = wasm.alloc(8);
    wasm.call::<_, ()>("store_u64", (block, 999u64));
    assert_eq!(wasm.call::<_, u64>("load_u64", block), 999);
    let bytes: Vec<u8> = (0..8)
        .map(|i| wasm.call::<_, u32>("load_u8", block + i) as u8)
        .collect();
    assert_eq!(bytes, 999u64.to_le_bytes());

    for i in 0..8 {
        // Only the low byte counts.
        wasm.call::<_, ()>("store_u8", (block + i, 0xABCD_EF00 + i as u32));
    }
    assert_eq!(
        wasm.call::<_, u64>("load_u64", block),
        0x0706_0504_0302_0100
    );
    wasm.call::<_, ()>("store_u8", (block, 0xFFu32));
    assert_eq!(wasm.call::<_, u32>("load_u8", block), 0xFF);

    assert_eq!(wasm.call::<_, u64>("load_u64", 0xffff_ffff_ffffu64), 0);
    wasm.call::<_, ()>("store_u8", (0xffff_ffff_ffffu64, 0u32));
}

#[test]
fn the_input_is_read_byte_by_byte() {
    let mut wasm = Wasm::new();
    let length = 123_456;
    let block = wasm.alloc(length);
    for i in 0..length {
        wasm.call::<_, ()>("store_u8", (block + i, u32::from(b'a')));
    }
    wasm.call::<_, ()>("input_set", (block, length));
    for i in 0..length {
        assert_eq!(wasm.call::<_, u32>("input_load_u8", i), u32::from(b'a'));
    }
    assert_eq!(wasm.call::<_, u64>("input_load_u64", length + 1), 0);
    assert_eq!(
        wasm.call::<_, u64>("input_load_u64", length - 8),
        u64::from_le_bytes([b'a'; 8])
    );
}

#[test]
fn allocations_that_once_failed_upstream_succeed() {
    let sequences: [&[u64]; 2] = [
        &[
            20622, 23162, 58594, 32421, 25928, 44611, 26318, 24455, 5798, 60202, 42126, 64928,
            57832, 50888, 63256, 37562, 46334, 47985, 60836, 28132, 65535, 37800, 33150, 48768,
            38457, 57249, 5734, 58587, 26294, 26653, 24519, 1,
        ],
        &[352_054_710, 1_248_853_976, 2_678_441_931, 14_567_928],
    ];
    for lengths in sequences {
        let mut wasm = Wasm::new();
        wasm.call::<_, ()>("reset", ());
        for &length in lengths {
            wasm.alloc_checked(length);
        }
    }
}

#[test]
fn blocks_of_5_mib_are_allocated_until_the_memory_is_full() {
    let mut wasm = Wasm::new();
    let blocks = (0..1024)
        .take_while(|_| wasm.alloc_checked(5 << 20) != 0)
        .count();
    assert!((800..1024).contains(&blocks), "{blocks}");
}
