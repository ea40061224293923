//! The log functions. A line parks the guest until the embedder has logged it, so that it comes
//! from the calling process, in order; one below the caller's level costs nothing of that. Of a very
//! long one it is the beginning.

use wasmtime::{Caller, Linker, Result};

use super::ENV;
use crate::control::Request;
use crate::kernel_memory as memory;
use crate::state::HostState;
use crate::text;

/// The level at which nothing is logged.
pub const LOG_OFF: i32 = i32::MAX;

/// The level of a log line, as the ABI numbers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum LogLevel {
    Trace = 0,
    Debug = 1,
    Info = 2,
    Warn = 3,
    Error = 4,
}

const LEVELS: [(&str, LogLevel); 5] = [
    ("log_trace", LogLevel::Trace),
    ("log_debug", LogLevel::Debug),
    ("log_info", LogLevel::Info),
    ("log_warn", LogLevel::Warn),
    ("log_error", LogLevel::Error),
];

/// The level that the embedder wants for this call.
const GET_LEVEL: &str = "get_log_level";

/// Whether an import makes a plugin one that logs.
pub(crate) fn is_log_function(name: &str) -> bool {
    names().any(|function| function == name)
}

/// The functions here.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    let levels = LEVELS.iter().map(|(function, _)| *function);
    levels.chain([GET_LEVEL])
}

pub(crate) fn link(linker: &mut Linker<HostState>) -> Result<()> {
    for (name, level) in LEVELS {
        linker.func_wrap_async(ENV, name, move |caller, (handle,): (i64,)| {
            Box::new(log(caller, level, handle))
        })?;
    }
    linker.func_wrap(ENV, GET_LEVEL, |caller: Caller<'_, HostState>| {
        caller.data().control().log_level()
    })?;
    Ok(())
}

async fn log(mut caller: Caller<'_, HostState>, level: LogLevel, handle: i64) -> Result<()> {
    let shared = caller.data().shared.clone();
    if level == LogLevel::Error
        && let Some(message) = memory::read(&mut caller, handle)
    {
        shared.last_words.add_line(message);
    }
    let wanted = shared.control.log_level();
    if wanted == LOG_OFF || (level as i32) < wanted {
        memory::free(&mut caller, handle);
        return Ok(());
    }
    let message = memory::read(&mut caller, handle)
        .map(|message| text::said(message, text::MESSAGE).into_bytes())
        .ok_or_else(|| memory::invalid_handle(handle, "log message"))?;
    memory::free(&mut caller, handle);
    shared.control.ask(Request::Log { level, message }).await?;
    Ok(())
}
