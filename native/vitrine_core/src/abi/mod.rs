//! The host's half of `extism:host/env`: configuration, variables, HTTP and logging. The other half
//! is the kernel.

mod http;
mod log;
mod vars;

use std::collections::HashMap;

use wasmtime::{Caller, Linker, Result};

pub(crate) use http::LastResponse;
pub use http::{HttpRequest, HttpResponse};
pub(crate) use log::is_log_function;
pub use log::{LOG_OFF, LogLevel};
pub use vars::Vars;

use crate::control::LARGE;
use crate::error::Stop;
use crate::kernel_memory as memory;
use crate::state::HostState;

/// The namespace of the kernel and of the functions here.
pub(crate) const ENV: &str = "extism:host/env";

/// A plugin's configuration.
pub type Config = HashMap<String, String>;

/// The functions here, and not of the kernel.
const FUNCTIONS: [&str; 6] = [
    "config_get",
    "var_get",
    "var_set",
    "http_request",
    "http_status_code",
    "http_headers",
];

/// Whether the host's half has a function of this name.
pub(crate) fn has_function(name: &str) -> bool {
    FUNCTIONS.contains(&name) || log::names().any(|function| function == name)
}

pub(crate) fn link(linker: &mut Linker<HostState>) -> Result<()> {
    linker.func_wrap_async(ENV, "config_get", |caller, (key,): (i64,)| {
        Box::new(config_get(caller, key))
    })?;
    linker.func_wrap_async(ENV, "var_get", |caller, (key,): (i64,)| {
        Box::new(var_get(caller, key))
    })?;
    linker.func_wrap_async(ENV, "var_set", |caller, (key, value): (i64, i64)| {
        Box::new(var_set(caller, key, value))
    })?;
    http::link(linker)?;
    log::link(linker)
}

async fn config_get(mut caller: Caller<'_, HostState>, key: i64) -> Result<i64> {
    let key = take_key(&mut caller, key, "config key").await?;
    let shared = caller.data().shared.clone();
    match shared.config.read().get(&key) {
        Some(value) => memory::alloc(&mut caller, value.as_bytes()),
        None => Ok(0),
    }
}

async fn var_get(mut caller: Caller<'_, HostState>, key: i64) -> Result<i64> {
    let key = take_key(&mut caller, key, "var key").await?;
    let shared = caller.data().shared.clone();
    let length = shared.vars.lock().get(&key).map_or(0, <[u8]>::len);
    if length > LARGE {
        shared.control.on_dirty().await;
    }
    let vars = shared.vars.lock();
    match vars.get(&key) {
        Some(value) => memory::alloc(&mut caller, value),
        None => Ok(0),
    }
}

async fn var_set(mut caller: Caller<'_, HostState>, key: i64, value: i64) -> Result<()> {
    let new = match value {
        0 => None,
        _ => Some(take(&mut caller, value, "var value").await?),
    };
    let key = take_key(&mut caller, key, "var key").await?;
    let shared = caller.data().shared.clone();
    shared.vars.lock().set(key, new)?;
    Ok(())
}

/// The bytes of a block that the guest hands over: the host frees it.
async fn take(caller: &mut Caller<'_, HostState>, handle: i64, what: &str) -> Result<Vec<u8>> {
    let bytes = memory::copy(caller, handle, || what.into()).await?;
    memory::free(caller, handle);
    Ok(bytes)
}

async fn take_key(caller: &mut Caller<'_, HostState>, handle: i64, what: &str) -> Result<String> {
    String::from_utf8(take(caller, handle, what).await?)
        .map_err(|_| Stop::Abi(format!("the {what} is not valid UTF-8")).into())
}
