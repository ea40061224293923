//! A plugin with the last PDK before 1.0, whose host functions are in `env`: that of the plugins of 2022 and 2023.
//!
//! It is the PDK that matters here: it frees what it has given to the host itself.

use extism_pdk::*;
use serde::Serialize;

#[host_fn]
extern "ExtismHost" {
    /// In the namespace `env`, as all; hence no export may have its name.
    fn hello(name: String) -> String;
}

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

#[plugin_fn]
pub fn count_vowels(input: String) -> FnResult<Json<VowelReport>> {
    let count = input.chars().filter(|&c| VOWELS.contains(c)).count() as u32;
    let kept: Option<Vec<u8>> = var::get("total")?;
    let kept = kept.and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_le_bytes);
    let total = kept + count;
    var::set("total", total.to_le_bytes().as_slice())?;
    Ok(Json(VowelReport { count, total, vowels: VOWELS }))
}

#[plugin_fn]
pub fn greet(name: String) -> FnResult<String> {
    Ok(unsafe { hello(name)? })
}

#[plugin_fn]
pub fn fail(message: String) -> FnResult<()> {
    Err(Error::msg(message).into())
}

#[plugin_fn]
pub fn fail_with_code(code: String) -> FnResult<()> {
    Err(WithReturnCode::new(Error::msg("coded"), code.trim().parse()?))
}

#[plugin_fn]
pub fn config_value(key: String) -> FnResult<String> {
    Ok(config::get(key).unwrap_or_default())
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
    var::remove(key);
    Ok(())
}

#[plugin_fn]
pub fn log_all(message: String) -> FnResult<()> {
    debug!("{message}");
    info!("{message}");
    warn!("{message}");
    error!("{message}");
    Ok(())
}

/// Sends the request that the first line of the input says in JSON, with the rest of the input as its body.
fn send(input: &str) -> Result<HttpResponse, Error> {
    match input.split_once('\n') {
        Some((request, body)) => http::request(&serde_json::from_str(request)?, Some(body)),
        None => http::request::<()>(&serde_json::from_str(input)?, None),
    }
}

#[plugin_fn]
pub fn http_body(input: String) -> FnResult<Vec<u8>> {
    Ok(send(&input)?.body())
}

#[plugin_fn]
pub fn http_status(input: String) -> FnResult<String> {
    Ok(send(&input)?.status_code().to_string())
}
