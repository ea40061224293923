//! Runs each accessor at each of its bounds.

use vitrine_kernel::layout::{CONTROL_END, HEAP_START, MIN_PAGES, PAGE_TABLE, STACK_SIZE};

use crate::support::{Both, IMPORTS, word, words};

const HEAP: u64 = HEAP_START as u64;
const PAGE: u64 = 65_536;
/// The end of the memory before anything grows it.
const END: u64 = MIN_PAGES as u64 * PAGE;

/// Each function takes an offset and, if it stores, a value. It outputs what it loaded, or what is there after the store.
fn guest() -> Both {
    Both::new(&format!(
        r#"(module {IMPORTS}
          (memory (export "memory") 1)
          (func $give (param i64) (local $block i64)
            (local.set $block (call $alloc (i64.const 8)))
            (call $store_u64 (local.get $block) (local.get 0))
            (call $output_set (local.get $block) (i64.const 8)))
          (func $at (result i64) (call $input_load_u64 (i64.const 0)))
          (func $value (result i64) (call $input_load_u64 (i64.const 8)))
          (func (export "load_u8") (call $give (i64.extend_i32_u (call $load_u8 (call $at)))))
          (func (export "load_u64") (call $give (call $load_u64 (call $at))))
          (func (export "store_u8")
            (call $store_u8 (call $at) (i32.wrap_i64 (call $value)))
            (call $output_set (i64.sub (call $at) (i64.const 8)) (i64.const 24)))
          (func (export "store_u64")
            (call $store_u64 (call $at) (call $value))
            (call $output_set (i64.sub (call $at) (i64.const 8)) (i64.const 24)))
          (func (export "input_load_u8")
            (call $give (i64.extend_i32_u (call $input_load_u8 (call $at)))))
          (func (export "input_load_u64") (call $give (call $input_load_u64 (call $at))))
          (func (export "input_length") (call $give (call $input_length)))
          (func (export "input_length_freed")
            (call $free (call $input_offset)) (call $give (call $input_length)))
          (func (export "input_freed") (local $at i64)
            (local.set $at (call $at))
            (call $free (call $input_offset))
            (call $give (i64.or (call $input_load_u64 (local.get $at))
              (i64.extend_i32_u (call $input_load_u8 (local.get $at))))))
          (func (export "input_moved")
            (call $input_set (i64.add (call $input_offset) (i64.const 3)) (call $value))
            (call $give (i64.xor (call $input_load_u64 (i64.const 1))
              (i64.extend_i32_u (call $input_load_u8 (i64.const 1))))))
          (func (export "grown") (local $block i64)
            ;; The memory grows before anything was loaded from the new pages.
            (local.set $block (call $alloc (call $at)))
            (call $store_u8 (i64.sub (i64.add (local.get $block) (call $at)) (i64.const 1)) (i32.const 7))
            (call $give (call $load_u64 (i64.sub (i64.add (local.get $block) (call $at)) (i64.const 8)))))
          (func (export "reset")
            (call $reset)
            (call $give (i64.add (call $input_length)
              (i64.extend_i32_u (call $input_load_u8 (i64.const 0)))))))"#
    ))
}

/// Offsets around all bounds that the kernel distinguishes.
fn offsets() -> Vec<u64> {
    let landmarks = [
        0,
        STACK_SIZE.into(),
        CONTROL_END.into(),
        PAGE_TABLE.into(),
        HEAP,
        HEAP + 0x800,
        HEAP + 0x1000,
        HEAP + PAGE,
        HEAP + 2 * PAGE,
        END - PAGE,
        END,
        1 << 32,
        (1 << 32) + HEAP,
        (1 << 32) + HEAP + PAGE - 1,
        1 << 48,
        (1 << 63) + HEAP,
        0u64.wrapping_sub(PAGE),
    ];
    let near = |at: u64| (0..36).map(move |n| at.wrapping_add(n).wrapping_sub(18));
    landmarks.into_iter().flat_map(near).collect()
}

#[test]
fn fused_loads_equal_the_kernels_at_every_bound() {
    let guest = guest();
    let mut found = 0;
    for offset in offsets() {
        for function in ["load_u8", "load_u64"] {
            let output = guest.call(function, &words(&[offset, u64::MAX])).unwrap();
            found += u64::from(word(&output) != 0);
            assert!(
                (HEAP..END).contains(&offset) || word(&output) == 0,
                "{offset:#x}"
            );
        }
    }
    assert!(found > 0);
}

#[test]
fn fused_stores_equal_the_kernels_at_every_bound() {
    let guest = guest();
    let value = 0x8877_6655_4433_2211;
    let mut stored = 0;
    for offset in offsets() {
        for function in ["store_u8", "store_u64"] {
            // Twice: the first finds out about the page.
            for _ in 0..2 {
                let output = guest.call(function, &words(&[offset, value])).unwrap();
                stored += u64::from(output.contains(&0x11));
            }
        }
    }
    assert!(stored > 100, "{stored}");
}

#[test]
fn fused_input_loads_end_where_the_input_ends() {
    let guest = guest();
    for length in [8, 9, 15, 16, 17, 100] {
        let indices = (0..length + 20).chain([u64::MAX, u64::MAX - 7, 1 << 32, 1 << 63]);
        for index in indices {
            let mut input = words(&[index]);
            input.resize(length as usize, 0xEE);
            let byte = word(&guest.call("input_load_u8", &input).unwrap());
            assert!(index < length || byte == 0);
            let bytes = word(&guest.call("input_load_u64", &input).unwrap());
            assert!(index.checked_add(8).is_some_and(|end| end <= length) || bytes == 0);
            guest.call("input_freed", &input).unwrap();
        }
    }
    for length in 0..20 {
        let output = guest.call("input_length", &vec![1; length]).unwrap();
        assert_eq!(word(&output), length as u64);
        let output = guest.call("input_length_freed", &vec![1; length]).unwrap();
        assert_eq!(word(&output), 0);
    }
}

#[test]
fn fused_input_loads_read_the_input_that_the_guest_sets() {
    let guest = guest();
    for length in [0, 1, 2, 7, 8, 9, 10, 64, PAGE, u64::MAX, END] {
        guest
            .call("input_moved", &words(&[0, length, 3, 4]))
            .unwrap();
    }
}

#[test]
fn fused_accesses_reach_pages_that_are_new() {
    for size in [1_000_000, 3_000_000, 20_000_000] {
        let guest = guest();
        let output = guest.call("grown", &words(&[size])).unwrap();
        assert_eq!(word(&output), 7 << 56);
        guest.call("grown", &words(&[8])).unwrap();
        guest.call("reset", &words(&[8])).unwrap();
    }
}
