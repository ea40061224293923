//! What the host's own use of the kernel costs for each plugin call: `cargo bench -p
//! vitrine_kernel`.

use std::hint::black_box;
use std::time::Instant;

use vitrine_kernel::layout::{MIN_PAGES, PAGE_SIZE};
use vitrine_kernel::{Kernel, SliceMemory};

/// Prints the time that one run takes, the best of many rounds.
fn measure(name: &str, mut run: impl FnMut()) {
    const RUNS: u32 = 10_000;
    let round = |_| {
        let start = Instant::now();
        (0..RUNS).for_each(|_| run());
        start.elapsed()
    };
    let best = (0..200).map(round).min().unwrap_or_default();
    println!(
        "{name}: {:.1} ns",
        best.as_secs_f64() * 1e9 / f64::from(RUNS)
    );
}

fn main() {
    let mut bytes = vec![0; (MIN_PAGES * PAGE_SIZE) as usize];
    for length in [2, 1000, 65_536, 900_000] {
        measure(&format!("reset, alloc({length}), input_set"), || {
            let mut kernel = Kernel::new(SliceMemory::new(black_box(&mut bytes)));
            kernel.reset();
            let input = kernel.alloc(black_box(length));
            kernel.input_set(input, length);
        });
    }

    let mut kernel = Kernel::new(SliceMemory::new(&mut bytes));
    kernel.reset();
    let output = kernel.alloc(1000);
    kernel.output_set(output, 1000);
    for length in [2, 1000, 65_536] {
        measure(&format!("alloc({length}), length, free"), || {
            let block = kernel.alloc(black_box(length));
            black_box(kernel.length(block));
            kernel.free(block);
        });
    }
    measure("output and error", || {
        black_box((kernel.output(), kernel.error()));
    });
}
