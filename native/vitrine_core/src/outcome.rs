//! What a call came to: Wasmtime's result and the kernel's error, in the order of precedence
//! that the Extism contract gives them.

use wasmtime::{Store, Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use crate::error::{Error, Frame, Reason, Stop};
use crate::kernel_memory as memory;
use crate::state::HostState;

/// The result of a function that returned `returned`, or did not return.
pub(crate) fn conclude(
    store: &mut Store<HostState>,
    returned: wasmtime::Result<i32>,
) -> Result<(), Error> {
    let code = match returned {
        Ok(code) => code,
        Err(error) => {
            return match error.downcast_ref::<I32Exit>() {
                Some(I32Exit(0)) if memory::error(store).is_none() => Ok(()),
                _ => Err(failure(store, &error)),
            };
        }
    };
    let message = match memory::error(store) {
        Some(message) => message,
        None if code == 0 => return Ok(()),
        None => format!("Returned non-zero exit code: {code}"),
    };
    Err(Error {
        code: Some(code),
        ..Error::new(Reason::GuestError, message)
    })
}

/// What stopped a guest from returning.
pub(crate) fn failure(store: &mut Store<HostState>, error: &wasmtime::Error) -> Error {
    let said = store.data().kernel.and_then(|_| memory::error(store));
    let mut failure = classify(error);
    failure.backtrace = frames(error);
    if let Some(said) = said {
        failure.message = format!("{said} ({})", failure.message);
    }
    failure
}

fn classify(error: &wasmtime::Error) -> Error {
    if let Some(stop) = error.downcast_ref::<Stop>() {
        return Error::new(stop.reason(), stop.to_string());
    }
    if let Some(I32Exit(code)) = error.downcast_ref::<I32Exit>() {
        return Error {
            code: Some(*code),
            ..Error::new(Reason::Exit, format!("the plugin exited with code {code}"))
        };
    }
    if let Some(trap) = error.downcast_ref::<Trap>() {
        // Wasmtime says "wasm trap: out of bounds memory access" and the like.
        let trap = trap.to_string();
        let name = trap.strip_prefix("wasm trap: ").unwrap_or(&trap);
        return Error {
            trap: Some(name.to_owned()),
            ..Error::new(Reason::Trap, name)
        };
    }
    Error::new(Reason::Trap, error.root_cause().to_string())
}

fn frames(error: &wasmtime::Error) -> Vec<Frame> {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else {
        return Vec::new();
    };
    let frames = backtrace.frames().iter();
    frames
        .map(|frame| Frame {
            function: frame.func_name().map(str::to_owned),
            index: frame.func_index(),
            offset: frame.module_offset(),
        })
        .collect()
}
