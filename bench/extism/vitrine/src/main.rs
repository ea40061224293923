//! The cases on Vitrine's core, driven as the NIF drives it: each call in slices, host functions
//! run by whoever makes the call, while the guest is parked.

mod host;

use anyhow::Result;
use cases::{Hello, on_host, serve};

fn main() -> Result<()> {
    let vitrine = host::Vitrine::new()?;
    let hello = Hello::Ready("vitrine_core".into());
    serve(&hello, |case| on_host(&vitrine, case).map(Some))
}
