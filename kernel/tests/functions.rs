//! Loads, stores, and the ranges that host and guest tell each other: input, output, error.

mod support;

use support::{end, kernel};
use vitrine_kernel::layout::HEAP_START;

const START: u64 = HEAP_START as u64;

#[test]
fn loads_and_stores_reach_every_byte_of_a_block() {
    for length in [8, 100, 16_384, 65_536, 300_000] {
        let mut kernel = kernel();
        let block = kernel.alloc(length);
        for i in 0..length {
            kernel.store_u8(block + i, (i * 7) as u8);
        }
        assert!((0..length).all(|i| kernel.load_u8(block + i) == (i * 7) as u8));
        for i in 0..=length - 8 {
            kernel.store_u64(block + i, !i);
            assert_eq!(kernel.load_u64(block + i), !i);
        }
    }
}

#[test]
fn loads_and_stores_are_little_endian() {
    let mut kernel = kernel();
    let block = kernel.alloc(8);
    (0..8).for_each(|i| kernel.store_u8(block + i, i as u8));
    assert_eq!(kernel.load_u64(block), 0x0706_0504_0302_0100);
}

#[test]
fn loads_outside_the_heap_give_0_and_stores_do_nothing() {
    let mut kernel = kernel();
    let end = end(&kernel);
    kernel.store_u64(end - 8, u64::MAX);
    assert_eq!(
        (kernel.load_u8(end - 1), kernel.load_u64(end - 8)),
        (255, u64::MAX)
    );
    let before = kernel.memory().bytes.clone();
    for offset in [
        0,
        8,
        57,
        0x400,
        START - 8,
        START - 1,
        end,
        end + 1,
        1 << 32,
        0xffff_ffff_ffff,
        u64::MAX - 7,
        u64::MAX,
    ] {
        assert_eq!(
            (kernel.load_u8(offset), kernel.load_u64(offset)),
            (0, 0),
            "{offset}"
        );
        kernel.store_u8(offset, 1);
        kernel.store_u64(offset, 1);
    }
    for offset in (end - 7..end).chain(START - 7..START) {
        assert_eq!(kernel.load_u64(offset), 0);
        kernel.store_u64(offset, 1);
    }
    assert!(kernel.memory().bytes == before);
}

#[test]
fn the_input_is_read_up_to_its_end() {
    let mut kernel = kernel();
    assert_eq!((kernel.input_load_u8(0), kernel.input_load_u64(0)), (0, 0));
    let block = kernel.alloc(20);
    (0..20).for_each(|i| kernel.store_u8(block + i, 1));
    kernel.input_set(block, 20);
    assert_eq!((kernel.input_offset(), kernel.input_length()), (block, 20));
    assert_eq!(kernel.input(), block as usize..block as usize + 20);
    assert_eq!(kernel.length(kernel.input_offset()), 20);
    for i in 0..20 {
        assert_eq!(kernel.input_load_u8(i), 1);
        assert_eq!(
            kernel.input_load_u64(i),
            if i <= 12 { 0x0101_0101_0101_0101 } else { 0 }
        );
    }
    for i in [20, 21, 1 << 32, u64::MAX - 8, u64::MAX - 7, u64::MAX] {
        assert_eq!(
            (kernel.input_load_u8(i), kernel.input_load_u64(i)),
            (0, 0),
            "{i}"
        );
    }
}

#[test]
fn freeing_the_input_makes_it_empty() {
    let mut kernel = kernel();
    let block = kernel.alloc(20);
    kernel.input_set(block, 20);
    kernel.free(block);
    assert_eq!((kernel.input_offset(), kernel.input_length()), (block, 0));
    assert_eq!(kernel.input_load_u8(0), 0);
}

#[test]
fn input_and_output_may_be_any_range_of_the_heap() {
    let mut kernel = kernel();
    let end = end(&kernel);
    for (offset, length) in [
        (START, end - START),
        (START + 77, 60_000),
        (end - 1, 1),
        (START, 0),
        (end - 1, 0),
    ] {
        kernel.input_set(offset, length);
        kernel.output_set(offset, length);
        assert_eq!(
            (kernel.input_offset(), kernel.input_length()),
            (offset, length)
        );
        assert_eq!(
            (kernel.output_offset(), kernel.output_length()),
            (offset, length)
        );
        assert_eq!(kernel.output(), offset as usize..(offset + length) as usize);
    }
}

#[test]
fn input_and_output_outside_the_heap_are_ignored() {
    let mut kernel = kernel();
    let end = end(&kernel);
    kernel.input_set(START + 1, 2);
    kernel.output_set(START + 3, 4);
    let outside = [
        (0, 0),
        (0, 10),
        (START - 1, 10),
        (START, end - START + 1),
        (START, u64::MAX),
        (START, u64::MAX - START + 1),
        (end - 1, 2),
        (end, 0),
        (end, 1),
        (u64::MAX, 1),
        (u64::MAX, u64::MAX),
    ];
    for (offset, length) in outside {
        kernel.input_set(offset, length);
        kernel.output_set(offset, length);
    }
    assert_eq!(
        (kernel.input_offset(), kernel.input_length()),
        (START + 1, 2)
    );
    assert_eq!(
        (kernel.output_offset(), kernel.output_length()),
        (START + 3, 4)
    );
}

#[test]
fn the_error_is_set_and_cleared() {
    let mut kernel = kernel();
    let block = kernel.alloc(512);
    kernel.error_set(block);
    assert_eq!(kernel.error_get(), block);
    assert_eq!(kernel.error(), kernel.block(block));
    for outside in [1, START - 1, end(&kernel), u64::MAX] {
        kernel.error_set(outside);
        assert_eq!(kernel.error_get(), block);
    }
    kernel.error_set(block + 1);
    assert_eq!((kernel.error_get(), kernel.error()), (block + 1, None));
    kernel.error_set(0);
    assert_eq!((kernel.error_get(), kernel.error()), (0, None));
}
