//! Input, output and error message are not handed out again, also where their blocks were freed.

mod support;

use support::{VecMemory, kernel};
use vitrine_kernel::Kernel;
use vitrine_kernel::layout::{HEAP_START, PAGE_SIZE};

const PAGE: u64 = PAGE_SIZE as u64;
/// Of slabs, and of one page and more.
const LENGTHS: [u64; 8] = [1, 16, 100, 5_000, 16_384, 20_000, 65_536, 300_000];

/// What a range is, and how a block becomes one.
type Hold = (&'static str, fn(&mut Kernel<VecMemory>, u64, u64));

const HOLDS: [Hold; 3] = [
    ("output", |kernel, block, length| {
        kernel.output_set(block, length)
    }),
    ("error", |kernel, block, _| kernel.error_set(block)),
    // Not as a whole: then freeing it makes the input empty.
    ("input", |kernel, block, length| {
        kernel.input_set(block + length / 2, length - length / 2);
    }),
];

fn filled(kernel: &mut Kernel<VecMemory>, length: u64, byte: u8) -> u64 {
    let block = kernel.alloc(length);
    let range = kernel.block(block).expect("an active block");
    kernel.memory_mut().bytes[range].fill(byte);
    block
}

fn bytes(kernel: &Kernel<VecMemory>, block: u64, length: u64) -> &[u8] {
    &kernel.memory().bytes[block as usize..(block + length) as usize]
}

#[test]
fn a_block_that_is_freed_while_it_is_output_error_or_input_is_not_handed_out_again() {
    for (what, hold) in HOLDS {
        for length in LENGTHS {
            for freed_before in [false, true] {
                // What is freed is no error message, and input that is freed as a whole is none.
                if freed_before && what == "error" || what == "input" && length == 1 {
                    continue;
                }
                let mut kernel = kernel();
                let block = filled(&mut kernel, length, b'A');
                if freed_before {
                    kernel.free(block);
                }
                hold(&mut kernel, block, length);
                kernel.free(block);
                assert_eq!(kernel.length(block), 0);
                for other in LENGTHS.into_iter().chain([length, length]) {
                    for _ in 0..40 {
                        let other = filled(&mut kernel, other, b'B');
                        assert_ne!(other, block, "{what} of {length}");
                    }
                }
                let half = block + length / 2;
                let held = bytes(&kernel, half, length - length / 2);
                assert!(held.iter().all(|byte| *byte == b'A'), "{what} of {length}");
            }
        }
    }
}

#[test]
fn the_error_message_is_there_after_its_block_was_freed() {
    let mut kernel = kernel();
    let block = filled(&mut kernel, 5, b'e');
    kernel.error_set(block);
    kernel.free(block);
    assert_eq!(kernel.block(block), None);
    assert_eq!(kernel.error(), Some(block as usize..block as usize + 5));
    kernel.error_set(0);
    assert_eq!((kernel.error_get(), kernel.error()), (0, None));
}

#[test]
fn a_block_is_handed_out_again_once_it_is_the_output_no_more() {
    for length in LENGTHS {
        let mut kernel = kernel();
        let pinned = kernel.alloc(length);
        let capacity = kernel.memory_bytes();
        for round in 0..10_000 {
            let block = kernel.alloc(length);
            assert_ne!(block, 0);
            kernel.output_set(block, length);
            kernel.free(block);
            if round == 3 {
                assert!(kernel.memory_bytes() <= capacity.max(5 * length) + 3 * PAGE);
            }
        }
        // Four at the same time, and nothing more with each round.
        assert!(
            kernel.memory_bytes() <= capacity.max(5 * length) + 3 * PAGE,
            "{length}"
        );
        kernel.reset();
        assert_eq!(kernel.alloc(length), pinned);
    }
}

#[test]
fn what_is_around_a_held_range_is_handed_out() {
    let mut kernel = kernel();
    let blocks = [PAGE; 9].map(|length| kernel.alloc(length));
    kernel.output_set(blocks[4] + 10, 20);
    blocks[..8].iter().for_each(|block| kernel.free(*block));
    let before = kernel.memory_bytes();
    // Of eight pages in a row the fifth is held.
    assert_eq!(kernel.alloc(3 * PAGE), blocks[0]);
    assert_eq!(kernel.alloc(3 * PAGE), blocks[5]);
    assert_eq!(kernel.alloc(PAGE), blocks[3]);
    assert_eq!(kernel.alloc(PAGE), blocks[8] + PAGE);
    kernel.output_set(blocks[8], 1);
    assert_eq!(kernel.alloc(PAGE), blocks[4]);
    assert_eq!(kernel.memory_bytes(), before);
}

#[test]
fn a_range_that_was_never_allocated_is_held_as_well() {
    let mut kernel = kernel();
    let start = u64::from(HEAP_START);
    kernel.output_set(start + 77, 60_000);
    kernel.input_set(start + PAGE + 10, 3 * PAGE);
    for length in LENGTHS {
        let block = kernel.alloc(length);
        assert!(block >= start + 5 * PAGE, "{length}");
    }
    kernel.reset();
    assert_eq!(kernel.alloc(PAGE), start);
}

#[test]
fn a_range_over_many_free_blocks_does_not_slow_down_an_allocation() {
    let mut kernel = kernel();
    let blocks: Vec<u64> = (0..3_000).map(|_| kernel.alloc(16)).collect();
    let last = blocks[blocks.len() - 1];
    blocks.iter().rev().for_each(|block| kernel.free(*block));
    kernel.output_set(blocks[0], last - blocks[0]);
    for _ in 0..3_000 {
        let before = kernel.memory().accesses.get();
        let block = kernel.alloc(16);
        assert!(block >= last);
        assert!(kernel.memory().accesses.get() - before < 200);
    }
}
