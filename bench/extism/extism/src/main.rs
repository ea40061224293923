//! The cases on the `extism` crate, used as its documentation and its own benchmarks use it.

mod host;

use anyhow::Result;
use cases::{Hello, on_host, serve};

fn main() -> Result<()> {
    let extism = host::Extism::new()?;
    let hello = Hello::Ready(format!("extism {}, the crate", host::VERSION));
    serve(&hello, |case| on_host(&extism, case).map(Some))
}
