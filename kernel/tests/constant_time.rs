//! The kernel's functions take constant time: they access the memory equally often however much is
//! in it.

mod support;

use support::{VecMemory, kernel};
use vitrine_kernel::Kernel;

/// How often a function accesses the memory.
fn accesses(kernel: &mut Kernel<VecMemory>, function: impl FnOnce(&mut Kernel<VecMemory>)) -> u64 {
    let before = kernel.memory().accesses.get();
    function(kernel);
    kernel.memory().accesses.get() - before
}

/// The most accesses of each function with so many blocks alive.
fn worst(blocks: u64) -> [u64; 4] {
    let mut kernel = kernel();
    let mut worst = [0; 4];
    let mut note = |i: usize, count: u64| worst[i] = count.max(worst[i]);
    let lengths = (0..blocks).map(|i| if i % 50 == 0 { 70_000 } else { i % 200 + 1 });
    let mut handles = Vec::new();
    for length in lengths {
        note(
            0,
            accesses(&mut kernel, |kernel| handles.push(kernel.alloc(length))),
        );
    }
    assert!(!handles.contains(&0));
    for &handle in &handles {
        note(
            1,
            accesses(&mut kernel, |kernel| assert_ne!(kernel.length(handle), 0)),
        );
    }
    let (even, odd): (Vec<_>, Vec<_>) = handles
        .into_iter()
        .enumerate()
        .partition(|(i, _)| i % 2 == 0);
    for (_, handle) in even {
        note(2, accesses(&mut kernel, |kernel| kernel.free(handle)));
    }
    note(3, accesses(&mut kernel, |kernel| kernel.reset()));
    drop(odd);
    worst
}

#[test]
fn alloc_length_free_and_reset_do_not_depend_on_the_number_of_blocks() {
    let few = worst(500);
    let many = worst(20_000);
    // Joining two runs and splitting one may first happen among many.
    assert!(
        many.iter().zip(few).all(|(many, few)| *many <= few + 16),
        "{few:?} {many:?}"
    );
    assert!(
        many[0] < 100 && many[1] < 10 && many[2] < 90 && many[3] < 16,
        "{many:?}"
    );
}

#[test]
fn alloc_and_free_do_not_depend_on_the_length_of_the_block() {
    let [short, long] = [2 * 65_536, 900 * 65_536].map(|length| {
        let mut kernel = kernel();
        let mut block = 0;
        let alloc = accesses(&mut kernel, |kernel| block = kernel.alloc(length));
        assert_ne!(block, 0);
        (alloc, accesses(&mut kernel, |kernel| kernel.free(block)))
    });
    assert_eq!(short, long);
}
