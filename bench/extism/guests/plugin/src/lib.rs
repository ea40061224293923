//! The guests of upstream's benchmarks that are made with a PDK, and its echo made so, too.

use extism_pdk::*;
use serde::Serialize;

#[host_fn]
extern "ExtismHost" {
    fn host_reflect(bytes: Vec<u8>) -> Vec<u8>;
}

#[plugin_fn]
pub fn echo(input: Vec<u8>) -> FnResult<Vec<u8>> {
    Ok(input)
}

#[plugin_fn]
pub fn reflect(input: Vec<u8>) -> FnResult<Vec<u8>> {
    // SAFETY: the host has a function of this name and type.
    Ok(unsafe { host_reflect(input)? })
}

#[derive(Serialize)]
struct Count {
    count: usize,
}

/// With a variable and a key of the configuration, as upstream's has them.
#[plugin_fn]
pub fn count_vowels(input: String) -> FnResult<Json<Count>> {
    let count = input.chars().filter(|&c| "aeiouAEIOU".contains(c)).count();
    var::set("a", "this is var a")?;
    let _ = var::get::<String>("a")?;
    let _ = config::get("thing")?;
    Ok(Json(Count { count }))
}
