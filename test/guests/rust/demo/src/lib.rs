//! A plugin that does, for the tests, everything a plugin can do: right and wrong.
//!
//! Every `#[plugin_fn]` becomes an export `() -> i32`: the PDK decodes the input into the argument, and makes the
//! result the output (return code 0), or the error the plugin's error message (return code -1, or the one of
//! `WithReturnCode`).

mod misbehaviour;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};

use extism_pdk::*;
use serde::{Deserialize, Serialize};

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

#[derive(Deserialize)]
struct Numbers {
    name: String,
    numbers: Vec<i64>,
}

#[derive(Serialize)]
struct Sum {
    name: String,
    sum: i64,
}

/// JSON in, JSON out.
#[plugin_fn]
pub fn sum_json(Json(Numbers { name, numbers }): Json<Numbers>) -> FnResult<Json<Sum>> {
    Ok(Json(Sum { name, sum: numbers.iter().sum() }))
}

const VOWELS: &str = "aeiouAEIOU";

#[derive(Serialize)]
struct VowelReport {
    count: u32,
    total: u32,
    vowels: &'static str,
}

fn is_vowel(c: &char) -> bool {
    matches!(c.to_ascii_lowercase(), 'a' | 'e' | 'i' | 'o' | 'u')
}

/// Extism's usual example. The variable `total` outlives the call.
#[plugin_fn]
pub fn count_vowels(input: String) -> FnResult<Json<VowelReport>> {
    let count = input.chars().filter(is_vowel).count() as u32;
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
pub fn var_set(assignment: Vec<u8>) -> FnResult<()> {
    let (key, value) = split_once(&assignment, b'=').ok_or(Error::msg("expected key=value"))?;
    Ok(var::set(std::str::from_utf8(key)?, value)?)
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

/// Sends the request that the first line of the input says in JSON, with the rest of the input as its body.
fn send(input: &[u8]) -> Result<HttpResponse, Error> {
    match split_once(input, b'\n') {
        Some((request, body)) => http::request(&serde_json::from_slice(request)?, Some(body)),
        None => http::request::<()>(&serde_json::from_slice(input)?, None),
    }
}

#[plugin_fn]
pub fn http_body(input: Vec<u8>) -> FnResult<Vec<u8>> {
    Ok(send(&input)?.body())
}

#[plugin_fn]
pub fn http_status(input: Vec<u8>) -> FnResult<String> {
    Ok(send(&input)?.status_code().to_string())
}

#[plugin_fn]
pub fn http_headers(input: Vec<u8>) -> FnResult<Json<HashMap<String, String>>> {
    Ok(Json(send(&input)?.headers().clone()))
}

/// What is before the first `mark`, and what after it.
fn split_once(bytes: &[u8], mark: u8) -> Option<(&[u8], &[u8])> {
    let at = bytes.iter().position(|&byte| byte == mark)?;
    Some((&bytes[..at], &bytes[at + 1..]))
}
