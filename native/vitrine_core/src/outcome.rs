//! What a call came to: Wasmtime's result and the kernel's error, in the order of precedence
//! that the Extism contract gives them.

use std::ops::Range;

use wasmtime::{FrameInfo, Store, Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use crate::error::{Error, Frame, Reason, Stop};
use crate::kernel_memory as memory;
use crate::link::Links;
use crate::state::HostState;
use crate::text;

/// The result of a function that returned: where its output is.
pub(crate) fn returned(store: &mut Store<HostState>, code: i32) -> Result<Range<usize>, Error> {
    let left = memory::left(&mut *store);
    let message = if left.error {
        memory::error(store)
    } else {
        None
    };
    let message = match message {
        Some(message) => message,
        None if code == 0 => return within_limit(store, left.output),
        None => format!("Returned non-zero exit code: {code}"),
    };
    Err(Error {
        code: Some(code),
        ..Error::new(Reason::GuestError, message)
    })
}

/// Whether what stopped the guest is that it ended itself in good order.
pub(crate) fn is_success(store: &mut Store<HostState>, error: &wasmtime::Error) -> bool {
    matches!(error.downcast_ref::<I32Exit>(), Some(I32Exit(0))) && memory::error(store).is_none()
}

fn within_limit(store: &Store<HostState>, output: Range<usize>) -> Result<Range<usize>, Error> {
    let (length, limit) = (output.len() as u64, store.data().shared.limits.output);
    if length <= limit {
        return Ok(output);
    }
    Err(Error::new(
        Reason::OutputTooLarge,
        format!("the output has {length} bytes, the limit is {limit}"),
    ))
}

/// What stopped a guest from returning.
pub(crate) fn failure(store: &mut Store<HostState>, error: &wasmtime::Error) -> Error {
    if let Some(known) = error.downcast_ref::<Error>() {
        return known.clone();
    }
    let said = store.data().kernel.and_then(|_| memory::error(store));
    let mut failure = classify(error);
    failure.backtrace = frames(&store.data().shared.links, error);
    if let Some(said) = said {
        failure.message = format!("{said} ({})", failure.message);
    }
    if let Some(note) = store.data_mut().note.take() {
        failure.message = format!("{}; {note}", failure.message);
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
    if let Some(Trap::OutOfFuel) = error.downcast_ref::<Trap>() {
        return Error::new(Reason::Fuel, "plugin ran out of fuel");
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
    if lacks_memory(error) {
        let cause = error.root_cause();
        let message = format!(
            "the system has no memory or no address space for an instance: {cause}; drop \
             instances, or compile the plugin with `memory_layout: :dense`"
        );
        return Error::new(Reason::OutOfMemory, message);
    }
    Error::new(Reason::Trap, error.root_cause().to_string())
}

/// How an error begins that Wasmtime makes of a text.
pub(crate) const NO_SPACE: &str = "no address space";

/// Whether the system refused memory.
pub(crate) fn lacks_memory(error: &wasmtime::Error) -> bool {
    let cause = error.root_cause();
    #[cfg(unix)]
    if let Some(errno) = cause.downcast_ref::<rustix::io::Errno>() {
        return *errno == rustix::io::Errno::NOMEM;
    }
    let io = cause.downcast_ref::<std::io::Error>();
    io.is_some_and(|e| e.kind() == std::io::ErrorKind::OutOfMemory)
        || cause.to_string().starts_with(NO_SPACE)
}

fn frames(links: &Links, error: &wasmtime::Error) -> Vec<Frame> {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else {
        return Vec::new();
    };
    let frames = backtrace.frames().iter();
    frames
        .map(|frame| {
            let (file, line) = place(links, frame).unzip();
            Frame {
                function: frame.func_name().map(text::name),
                index: frame.func_index(),
                offset: frame.module_offset(),
                file,
                line: line.flatten(),
            }
        })
        .collect()
}

/// The file and the line of a frame, if the module has them and they are wanted.
fn place(links: &Links, frame: &FrameInfo) -> Option<(String, Option<u32>)> {
    let code = frame.module().image_range();
    let mut modules = links.modules.iter().map(|module| &module.compiled);
    let compiled = modules.find(|compiled| compiled.module.image_range() == code)?;
    let lines = compiled.lines.as_ref()?;
    let (file, line) = lines.find(frame.func_index(), frame.func_offset()?)?;
    Some((file.to_owned(), line))
}
