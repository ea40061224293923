//! The log functions. A line parks the guest until the embedder has logged it, so that lines come from the calling process and
//! in order. A line below the caller's level does not park the guest. A very long line is cut.

use vitrine_rewrite::names::{GET_LOG_LEVEL, LOG_FUNCTIONS};
use wasmtime::{Caller, Linker, Result};

use super::ENV;
use crate::host::HostView;
use crate::host::kernel_memory as memory;
use crate::host::protocol::{LOG_OFF, LogLevel, Request};
use crate::text;

const LEVELS: [LogLevel; 5] = [
    LogLevel::Trace,
    LogLevel::Debug,
    LogLevel::Info,
    LogLevel::Warn,
    LogLevel::Error,
];

pub(crate) fn link<T: HostView>(linker: &mut Linker<T>) -> Result<()> {
    for (name, level) in LOG_FUNCTIONS.into_iter().zip(LEVELS) {
        linker.func_wrap_async(ENV, name, move |caller, (handle,): (i64,)| {
            Box::new(log(caller, level, handle))
        })?;
    }
    linker.func_wrap(ENV, GET_LOG_LEVEL, |caller: Caller<'_, T>| {
        caller.data().host().control().log_level()
    })?;
    Ok(())
}

async fn log<T: HostView>(mut caller: Caller<'_, T>, level: LogLevel, handle: i64) -> Result<()> {
    let plugin = caller.data().host().plugin.clone();
    if level == LogLevel::Error
        && let Some(message) = memory::read(&mut caller, handle)
    {
        plugin.last_words.add_line(message);
    }
    let wanted = plugin.control.log_level();
    if wanted == LOG_OFF || (level as i32) < wanted {
        memory::free(&mut caller, handle);
        return Ok(());
    }
    let message = memory::read(&mut caller, handle)
        .map(|message| text::said(message, text::MESSAGE).into_bytes())
        .ok_or_else(|| memory::invalid_handle(handle, "log message"))?;
    memory::free(&mut caller, handle);
    plugin.control.ask(Request::Log { level, message }).await?;
    Ok(())
}
