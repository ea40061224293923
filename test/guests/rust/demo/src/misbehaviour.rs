//! What a plugin should not do: traps, and taking more than there is.

use std::arch::wasm32;
use std::hint::{assert_unchecked, black_box};

use extism_pdk::*;

#[plugin_fn]
pub fn panic() -> FnResult<()> {
    panic!("at the plugin's request")
}

/// Overflows the stack of WebAssembly: not the one in the linear memory, which this does not use.
#[plugin_fn]
pub fn recurse() -> FnResult<String> {
    #[inline(never)]
    fn depth(n: u64) -> u64 {
        // What is done with the result keeps it from becoming a loop.
        if n == 0 { 0 } else { depth(n - 1).rotate_left(1) ^ n }
    }
    Ok(depth(black_box(u64::MAX)).to_string())
}

#[plugin_fn]
pub fn spin() -> FnResult<()> {
    loop {}
}

/// Allocates (and touches) memory until none is left; then Rust aborts.
#[plugin_fn]
pub fn alloc_forever() -> FnResult<()> {
    loop {
        black_box(vec![1u8; 1 << 20].leak());
    }
}

#[plugin_fn]
pub fn out_of_bounds() -> FnResult<String> {
    let nowhere = black_box(0xffff_fff8_usize) as *const u64;
    Ok(unsafe { nowhere.read_volatile() }.to_string())
}

/// The machine's division, which traps, without Rust's check, which panics.
#[plugin_fn]
pub fn divide_by_zero() -> FnResult<String> {
    let divisor = black_box(0u32);
    unsafe { assert_unchecked(divisor != 0) };
    Ok((black_box(1u32) / divisor).to_string())
}

#[plugin_fn]
pub fn unreachable() -> FnResult<()> {
    wasm32::unreachable()
}
