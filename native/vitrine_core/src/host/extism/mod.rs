//! The host's half of `extism:host/env`: configuration, variables, HTTP and logging. The kernel is the other half.

mod http;
mod log;
mod vars;

use std::collections::HashMap;
use std::sync::Arc;

use wasmtime::{Caller, Linker, Result};

pub(crate) use http::LastResponse;
pub use vars::{Value as VarValue, Vars};
pub(crate) use vitrine_rewrite::names::ENV;

use crate::error::Stop;
use crate::host::HostView;
use crate::host::kernel_memory as memory;
use crate::host::protocol::LARGE;
use crate::schedule::reaper::reap;

/// A plugin's configuration.
pub type Config = HashMap<String, String>;

pub(crate) fn link<T: HostView>(linker: &mut Linker<T>) -> Result<()> {
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

// A block that a guest hands over is freed after the answer has its own block, not before. Some PDKs free their block once more,
// which would free an answer that was put in its place.

async fn config_get<T: HostView>(mut caller: Caller<'_, T>, key: i64) -> Result<i64> {
    let plugin = caller.data().host().plugin.clone();
    let length = length(&mut caller, key, "config key")?;
    if length > LONG_NAME && plugin.config.read().keys().all(|key| key.len() < length) {
        memory::free(&mut caller, key);
        return Ok(0);
    }
    let name = text(&mut caller, key, "config key").await?;
    let value = match plugin.config.read().get(&name) {
        Some(value) => memory::alloc(&mut caller, value.as_bytes())?,
        None => 0,
    };
    memory::free(&mut caller, key);
    Ok(value)
}

async fn var_get<T: HostView>(mut caller: Caller<'_, T>, key: i64) -> Result<i64> {
    let plugin = caller.data().host().plugin.clone();
    let length = length(&mut caller, key, "var key")?;
    if length > LONG_NAME && !plugin.vars.lock().may_have(length) {
        memory::free(&mut caller, key);
        return Ok(0);
    }
    let name = text(&mut caller, key, "var key").await?;
    let found = plugin.vars.lock().get(&name);
    let value = match found {
        Some(value) => {
            if value.len() > LARGE {
                plugin.control.on_dirty().await;
            }
            memory::alloc(&mut caller, &value)?
        }
        None => 0,
    };
    memory::free(&mut caller, key);
    Ok(value)
}

async fn var_set<T: HostView>(mut caller: Caller<'_, T>, key: i64, value: i64) -> Result<()> {
    let plugin = caller.data().host().plugin.clone();
    let wanted = match value {
        0 => None,
        _ => Some(length(&mut caller, value, "var value")?),
    };
    let name_length = length(&mut caller, key, "var key")?;
    plugin.vars.lock().admits(name_length, wanted)?;
    if wanted.is_none() && name_length > LONG_NAME && !plugin.vars.lock().may_have(name_length) {
        memory::free(&mut caller, key);
        return Ok(());
    }
    let new = match value {
        0 => None,
        _ => Some(copy(&mut caller, value, "var value").await?),
    };
    let name = text(&mut caller, key, "var key").await?;
    let old = plugin.vars.lock().set(name, new.map(Arc::new))?;
    if let Some(old) = old.filter(|old| old.len() > LARGE) {
        reap(old, None);
    }
    memory::free(&mut caller, value);
    memory::free(&mut caller, key);
    Ok(())
}

/// A longer name is copied only if a name of that length may exist.
const LONG_NAME: usize = 4096;

/// The length of a block that the guest hands over, so that nothing is copied of a block that is too long.
fn length<T: HostView>(caller: &mut Caller<'_, T>, handle: i64, what: &str) -> Result<usize> {
    Ok(memory::block(caller, handle, || what.into())?.len())
}

/// The bytes of a block that the guest hands over.
async fn copy<T: HostView>(caller: &mut Caller<'_, T>, handle: i64, what: &str) -> Result<Vec<u8>> {
    memory::copy(caller, handle, || what.into()).await
}

async fn text<T: HostView>(caller: &mut Caller<'_, T>, handle: i64, what: &str) -> Result<String> {
    String::from_utf8(copy(caller, handle, what).await?)
        .map_err(|_| Stop::Abi(format!("the {what} is not valid UTF-8")).into())
}
