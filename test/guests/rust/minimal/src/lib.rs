//! The smallest plugin of the Rust PDK: for benchmarks of instantiation and calls.

use extism_pdk::*;

#[plugin_fn]
pub fn echo(input: Vec<u8>) -> FnResult<Vec<u8>> {
    Ok(input)
}
