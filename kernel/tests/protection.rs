//! What the guest stores never reaches the kernel's own data, and always reaches a block.

mod support;

use support::{VecMemory, end, kernel};
use vitrine_kernel::Kernel;
use vitrine_kernel::layout::{HEAP_START, PAGE_SIZE};

const PAGE: u64 = PAGE_SIZE as u64;

/// Stores to every address from `from` to `to`, in every way.
fn deface(kernel: &mut Kernel<VecMemory>, from: u64, to: u64) {
    for offset in from..to {
        kernel.store_u8(offset, 0xA5);
        kernel.store_u64(offset, u64::MAX);
    }
}

#[test]
fn stores_below_the_heap_do_nothing() {
    let mut kernel = kernel();
    let blocks = [3, 3, 1000, 100_000].map(|length| kernel.alloc(length));
    kernel.free(blocks[1]);
    let before = kernel.memory().bytes.clone();
    deface(&mut kernel, 0, HEAP_START.into());
    assert!(kernel.memory().bytes == before);
}

#[test]
fn stores_into_the_header_of_a_slab_do_nothing() {
    for length in [1, 16, 17, 100, 128, 500, 3000, 16_384] {
        let mut kernel = kernel();
        let first = kernel.alloc(length);
        let header = first / PAGE * PAGE;
        let blocks = [length; 3].map(|length| kernel.alloc(length));
        kernel.free(blocks[1]);
        let before = kernel.memory().bytes.clone();
        deface(&mut kernel, header - 8, first - 7);
        for offset in first - 7..first {
            kernel.store_u8(offset, 0xA5);
            kernel.store_u64(offset, u64::MAX);
        }
        assert!(kernel.memory().bytes == before, "{length}");
        kernel.store_u64(first, 1);
        assert_eq!(kernel.load_u64(first), 1);
    }
}

#[test]
fn a_large_block_is_storable_wherever_slabs_were_before() {
    // The slabs end by a reset, or by being freed; the second large block has them inside.
    for by_reset in [true, false] {
        let mut kernel = kernel();
        let blocks: Vec<u64> = (0..20).map(|_| kernel.alloc(16_000)).collect();
        if by_reset {
            kernel.reset();
        } else {
            blocks.into_iter().for_each(|block| kernel.free(block));
        }
        for length in [PAGE, 5 * PAGE] {
            let block = kernel.alloc(length);
            (block..block + length).for_each(|offset| kernel.store_u8(offset, 7));
            assert!((block..block + length).all(|offset| kernel.load_u8(offset) == 7));
            kernel.free(block);
        }
    }
}

#[test]
fn a_slab_is_protected_wherever_a_large_block_was_before() {
    for by_reset in [true, false] {
        let mut kernel = kernel();
        let large = kernel.alloc(3 * PAGE);
        deface(&mut kernel, large, large + 3 * PAGE - 7);
        if by_reset {
            kernel.reset();
        } else {
            kernel.free(large);
        }
        let small = [40; 3].map(|length| kernel.alloc(length));
        deface(&mut kernel, large, small[0] - 7);
        assert_eq!(small.map(|block| kernel.length(block)), [40; 3]);
        assert_eq!(kernel.length(small[2] + 48), 0);
    }
}

#[test]
fn a_guest_that_stores_everywhere_changes_no_block_and_makes_none() {
    let mut kernel = kernel();
    let blocks: Vec<(u64, u64)> = [1, 20, 20, 300, 9000, 70_000, 16_384, 200_000]
        .into_iter()
        .map(|length| (kernel.alloc(length), length))
        .collect();
    kernel.free(blocks[2].0);
    let end = end(&kernel);
    deface(&mut kernel, 0, end);
    let found: Vec<(u64, u64)> = (0..end)
        .step_by(16)
        .map(|offset| (offset, kernel.length(offset)))
        .filter(|&(_, length)| length != 0)
        .collect();
    let mut active: Vec<(u64, u64)> = blocks
        .iter()
        .copied()
        .filter(|&block| block != blocks[2])
        .collect();
    active.sort_unstable();
    assert_eq!(found, active);
    assert_eq!(kernel.alloc(20), blocks[2].0);
}

#[test]
fn a_guest_that_stores_everywhere_gets_nothing_that_is_read_later() {
    for length in [20, 16_384, 70_000] {
        let mut kernel = kernel();
        let [output, error] = [length; 2].map(|length| kernel.alloc(length));
        kernel.output_set(output, length);
        kernel.error_set(error);
        [output, error]
            .into_iter()
            .for_each(|block| kernel.free(block));
        let end = end(&kernel);
        deface(&mut kernel, 0, end);
        let range = |block: u64| block as usize..(block + length) as usize;
        assert_eq!(kernel.output(), range(output));
        assert_eq!(kernel.error(), Some(range(error)));
        for _ in 0..100 {
            let block = kernel.alloc(length);
            assert!(block != output && block != error);
        }
    }
}
