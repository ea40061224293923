//! A plugin that does, for the tests, everything a plugin can do: right and wrong.
//!
//! Every `#[plugin_fn]` becomes an export `() -> i32`: the PDK decodes the input into the argument, and makes the
//! result the output (return code 0), or the error the plugin's error message (return code -1, or the one of
//! `WithReturnCode`).

use std::arch::wasm32;
use std::hint::{assert_unchecked, black_box};
use std::sync::atomic::{AtomicU32, Ordering};

use extism_pdk::*;
use serde::Serialize;

#[host_fn]
extern "ExtismHost" {
    /// In the namespace `extism:host/user`.
    fn greet(name: String) -> String;
}

// ---- What every language's plugin has ----

#[plugin_fn]
pub fn echo(input: Vec<u8>) -> FnResult<Vec<u8>> {
    Ok(input)
}

const VOWELS: &str = "aeiouAEIOU";

#[derive(Serialize)]
struct VowelReport {
    count: u32,
    total: u32,
    vowels: &'static str,
}

/// Extism's usual example. The variable `total` outlives the call.
#[plugin_fn]
pub fn count_vowels(input: String) -> FnResult<Json<VowelReport>> {
    let count = input.chars().filter(|&c| VOWELS.contains(c)).count() as u32;
    let total = var::get("total")?.unwrap_or(0u32) + count;
    var::set("total", total)?;
    Ok(Json(VowelReport { count, total, vowels: VOWELS }))
}

/// Asks the host. In a module, because the import has the same name.
mod greeting {
    use super::*;

    #[plugin_fn]
    pub fn greet(name: String) -> FnResult<String> {
        Ok(unsafe { super::greet(name)? })
    }
}

/// A static lives as long as the instance.
#[plugin_fn]
pub fn counter() -> FnResult<String> {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    Ok((CALLS.fetch_add(1, Ordering::Relaxed) + 1).to_string())
}

#[plugin_fn]
pub fn fail(message: String) -> FnResult<()> {
    Err(Error::msg(message).into())
}

#[plugin_fn]
pub fn fail_with_code(code: String) -> FnResult<()> {
    Err(WithReturnCode::new(Error::msg("coded"), code.trim().parse()?))
}

// ---- Services of the host ----

/// The value of a key of the configuration, or nothing.
#[plugin_fn]
pub fn config_value(key: String) -> FnResult<String> {
    Ok(config::get(key)?.unwrap_or_default())
}

/// Input `key=value`.
#[plugin_fn]
pub fn var_set(assignment: String) -> FnResult<()> {
    let (key, value) = assignment.split_once('=').ok_or(Error::msg("expected key=value"))?;
    Ok(var::set(key, value)?)
}

#[plugin_fn]
pub fn var_get(key: String) -> FnResult<Vec<u8>> {
    Ok(var::get(key)?.unwrap_or_default())
}

#[plugin_fn]
pub fn var_delete(key: String) -> FnResult<()> {
    Ok(var::remove(key)?)
}

/// The macros call the host only for the levels that it wants.
#[plugin_fn]
pub fn log_all(message: String) -> FnResult<()> {
    trace!("{message}");
    debug!("{message}");
    info!("{message}");
    warn!("{message}");
    error!("{message}");
    Ok(())
}

#[plugin_fn]
pub fn log_level() -> FnResult<String> {
    Ok(unsafe { extism::get_log_level() }.to_string())
}

/// As many bytes `x` as the input says, in decimal.
#[plugin_fn]
pub fn big_output(length: String) -> FnResult<Vec<u8>> {
    Ok(vec![b'x'; length.trim().parse()?])
}

// ---- Misbehaviour ----

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
