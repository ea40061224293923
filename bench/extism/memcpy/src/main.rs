//! The payloads of the cases, copied once: the bound that no host can pass.

use std::hint::black_box;

use anyhow::Result;
use cases::{Case, Hello, Prepared, Stopwatch, serve};

fn main() -> Result<()> {
    serve(&Hello::Ready("memcpy".into()), |case| Ok(copies(case)))
}

fn copies(case: &Case) -> Option<Prepared<'static>> {
    if case.moves == 0 {
        return None;
    }
    let from = vec![b'a'; case.payload];
    let mut to = vec![b'b'; case.payload];
    Some(Box::new(move |runs| {
        let mut stopwatch = Stopwatch::default();
        stopwatch.time(|| {
            for _ in 0..runs {
                to.copy_from_slice(black_box(&from));
                black_box(&mut to);
            }
        });
        Ok(stopwatch.sample())
    }))
}
