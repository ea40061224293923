//! Blocks: `alloc`, `free`, `length`, `reset`, and how the memory grows.

mod support;

use support::{borrowed, kernel};
use vitrine_kernel::layout::{HEAP_START, MIN_PAGES, PAGE_SIZE};

const START: u64 = HEAP_START as u64;
const PAGE: u64 = PAGE_SIZE as u64;
/// Offsets that are never handles.
const FORGED: [u64; 12] = [
    0,
    1,
    77,
    START - 1,
    START + 1,
    START + 8,
    u32::MAX as u64,
    u32::MAX as u64 + 1,
    (1 << 32) + START,
    i64::MAX as u64,
    u64::MAX - 7,
    u64::MAX,
];

#[test]
fn alloc_gives_aligned_blocks_of_the_length_asked_for() {
    let mut kernel = kernel();
    assert_eq!(kernel.alloc(0), 0);
    for length in [
        1, 2, 15, 16, 17, 128, 129, 16_383, 16_384, 16_385, 65_535, 65_536, 65_537, 6_553_600,
    ] {
        let handle = kernel.alloc(length);
        assert!(handle >= START);
        assert_eq!(handle % 16, 0);
        assert_eq!(kernel.length(handle), length);
        assert_eq!(kernel.length_unsafe(handle), length);
        assert_eq!(
            kernel.block(handle),
            Some(handle as usize..(handle + length) as usize)
        );
    }
}

#[test]
fn alloc_of_more_than_can_be_had_gives_0_and_changes_nothing() {
    let mut kernel = kernel();
    let block = kernel.alloc(100);
    let before = kernel.memory().bytes.clone();
    let too_long = [
        1024 * PAGE,
        1 << 32,
        (1 << 32) + 5,
        1 << 48,
        (1 << 48) + 100,
        i64::MAX as u64,
        u64::MAX - 12,
        u64::MAX,
    ];
    for length in too_long {
        assert_eq!(kernel.alloc(length), 0, "{length}");
    }
    assert!(kernel.memory().bytes == before);
    assert_eq!(kernel.length(block), 100);
}

#[test]
fn alloc_until_the_memory_is_full_then_again_after_a_free() {
    let mut kernel = kernel();
    let length = 5 << 20;
    let blocks: Vec<u64> =
        std::iter::from_fn(|| Some(kernel.alloc(length)).filter(|&block| block != 0)).collect();
    assert!(blocks.len() > 10);
    assert!(blocks.iter().all(|&block| kernel.length(block) == length));
    kernel.free(blocks[3]);
    assert_eq!(kernel.alloc(length), blocks[3]);
    assert_eq!(kernel.alloc(length), 0);
}

#[test]
fn free_and_length_ignore_what_is_not_a_handle() {
    let mut kernel = kernel();
    let blocks = [10, 24, 16_000, 70_000, 200_000].map(|length| (kernel.alloc(length), length));
    let inside = |&(block, length): &(u64, u64)| {
        [block + 1, block + 8, block + length / 2, block + length - 1]
    };
    let pages = blocks.map(|(block, _)| block / PAGE * PAGE + PAGE);
    let forged: Vec<u64> = FORGED
        .into_iter()
        .chain(blocks.iter().flat_map(inside))
        .chain(pages)
        .collect();
    for offset in forged
        .into_iter()
        .filter(|offset| blocks.iter().all(|(block, _)| block != offset))
    {
        kernel.free(offset);
        assert_eq!(kernel.length(offset), 0, "{offset}");
        assert_eq!(kernel.length_unsafe(offset), 0, "{offset}");
        assert_eq!(kernel.block(offset), None, "{offset}");
    }
    for (block, length) in blocks {
        assert_eq!(kernel.length(block), length);
    }
}

#[test]
fn a_second_free_does_nothing() {
    for length in [10, 100_000] {
        let mut kernel = kernel();
        let [first, second] = [length; 2].map(|length| kernel.alloc(length));
        kernel.free(first);
        kernel.free(first);
        assert_eq!(kernel.length(first), 0);
        let again = [length; 3].map(|length| kernel.alloc(length));
        assert_eq!(again[0], first);
        assert!(!again.contains(&second) && again[0] != again[1] && again[1] != again[2]);
    }
}

#[test]
fn freed_memory_is_reused() {
    let mut kernel = kernel();
    for length in [1, 16, 100, 5_000, 16_384, 20_000, 70_000, 3_000_000] {
        let pinned = kernel.alloc(length);
        let first = kernel.alloc(length);
        kernel.free(first);
        let capacity = kernel.memory_bytes();
        for _ in 0..100_000 {
            let block = kernel.alloc(length);
            assert_eq!(block, first);
            kernel.free(block);
        }
        assert_eq!(kernel.memory_bytes(), capacity);
        assert_eq!(kernel.length(pinned), length);
    }
}

#[test]
fn many_blocks_come_and_go_without_growth() {
    let mut kernel = kernel();
    let mut capacity = 0;
    for round in 0..20 {
        let blocks: Vec<u64> = (0..10_000).map(|i| kernel.alloc(i % 300 + 10)).collect();
        assert!(blocks.iter().all(|&block| block != 0));
        let (even, odd): (Vec<_>, Vec<_>) = blocks
            .into_iter()
            .enumerate()
            .partition(|(i, _)| i % 2 == 0);
        even.into_iter()
            .chain(odd.into_iter().rev())
            .for_each(|(_, block)| kernel.free(block));
        if round == 0 {
            capacity = kernel.memory_bytes();
        }
    }
    assert_eq!(kernel.memory_bytes(), capacity);
}

#[test]
fn neighbouring_free_runs_are_joined() {
    let mut kernel = kernel();
    let blocks = [PAGE; 9].map(|length| kernel.alloc(length));
    for i in [0, 2, 1, 6, 4, 5] {
        kernel.free(blocks[i]);
    }
    assert_eq!(kernel.alloc(3 * PAGE), blocks[4]);
    assert_eq!(kernel.alloc(3 * PAGE), blocks[0]);
    assert_eq!(kernel.length(blocks[1]), 0);
    kernel.free(blocks[5]);
    assert_eq!(kernel.length(blocks[4]), 3 * PAGE);
}

#[test]
fn a_long_run_is_split() {
    let mut kernel = kernel();
    let [long, after] = [100 * PAGE, PAGE].map(|length| kernel.alloc(length));
    kernel.free(long);
    assert_eq!(kernel.alloc(30 * PAGE), long);
    assert_eq!(kernel.alloc(70 * PAGE), long + 30 * PAGE);
    assert_eq!(kernel.alloc(PAGE), after + PAGE);
}

#[test]
fn the_memory_grows_by_what_is_missing() {
    let mut kernel = kernel();
    let capacity = u64::from(MIN_PAGES) * PAGE - START;
    assert_eq!(kernel.memory_bytes(), capacity);
    let block = kernel.alloc(capacity);
    assert_eq!(kernel.memory_bytes(), capacity);
    kernel.free(block);
    assert_eq!(kernel.alloc(capacity + 1), block);
    assert_eq!(kernel.memory_bytes(), capacity + PAGE);
}

#[test]
fn reset_frees_all_and_clears_all_but_the_capacity() {
    let mut kernel = kernel();
    let blocks = [5, 5, 100, 100_000, 2_000_000].map(|length| kernel.alloc(length));
    kernel.free(blocks[3]);
    kernel.input_set(blocks[0], 5);
    kernel.output_set(blocks[1], 5);
    kernel.error_set(blocks[2]);
    let capacity = kernel.memory_bytes();
    kernel.reset();
    assert!(blocks.iter().all(|&block| kernel.length(block) == 0));
    assert_eq!((kernel.input_offset(), kernel.input_length()), (0, 0));
    assert_eq!((kernel.output_offset(), kernel.output_length()), (0, 0));
    assert_eq!((kernel.error_get(), kernel.error()), (0, None));
    assert_eq!((kernel.input(), kernel.output()), (0..0, 0..0));
    assert_eq!(kernel.memory_bytes(), capacity);
    assert_eq!(
        [5, 5, 100, 100_000, 2_000_000].map(|length| kernel.alloc(length)),
        blocks
    );
}

#[test]
fn over_a_borrowed_memory_an_allocation_tells_the_pages_that_are_missing() {
    let mut bytes = vec![0; (MIN_PAGES * PAGE_SIZE) as usize];
    let capacity = bytes.len() as u64 - START;
    let mut kernel = borrowed(&mut bytes);
    assert_ne!(kernel.alloc(10), 0);
    assert_eq!(kernel.memory().wanted_pages(), 0);
    assert_eq!(kernel.alloc(capacity), 0);
    assert_eq!(kernel.memory().wanted_pages(), 1);

    bytes.resize(bytes.len() + PAGE_SIZE as usize, 0);
    let mut kernel = borrowed(&mut bytes);
    let block = kernel.alloc(capacity);
    assert_eq!((block, kernel.memory().wanted_pages()), (START + PAGE, 0));
    let range = kernel.block(block).expect("an active block");
    kernel.memory_mut().bytes_mut()[range].fill(7);
    assert_eq!(kernel.load_u64(block + capacity - 8), 0x0707_0707_0707_0707);
}
