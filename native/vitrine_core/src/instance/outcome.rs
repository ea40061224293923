//! The outcome of a call: Wasmtime's result and the kernel's error, in the order of precedence that the Extism contract
//! gives them.

use std::ops::Range;

use vitrine_memory::lacks_memory;
use wasmtime::{FrameInfo, GcHeapOutOfMemory, Store, Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use crate::error::{Error, Frame, Reason, Stop};
use crate::host::fuel::FuelLimits;
use crate::host::kernel_memory as memory;
use crate::instance::backtrace::{collapse, demangled};
use crate::link::LinkedPlugin;
use crate::link::store::StoreData;
use crate::text;

/// The result of a function that returned: the place of its output, or the error that it set.
pub(crate) fn returned(store: &mut Store<StoreData>, code: i32) -> Result<Range<usize>, Error> {
    let left = memory::left(&mut *store);
    let message = if left.error && !(left.error_freed && code == 0) {
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

/// Whether the guest stopped because it exited with code 0 and set no error.
pub(crate) fn is_success(store: &mut Store<StoreData>, error: &wasmtime::Error) -> bool {
    if !matches!(error.downcast_ref::<I32Exit>(), Some(I32Exit(0))) {
        return false;
    }
    let left = memory::left(&mut *store);
    !left.error || left.error_freed || memory::error(store).is_none()
}

fn within_limit(store: &Store<StoreData>, output: Range<usize>) -> Result<Range<usize>, Error> {
    let (length, limit) = (output.len() as u64, store.data().host.plugin.limits.output);
    if length <= limit {
        return Ok(output);
    }
    Err(Error::new(
        Reason::OutputTooLarge,
        format!(
            "the output has {length} bytes; the limit is {limit} bytes (limits: [output_bytes: {limit}])"
        ),
    ))
}

/// The error of a guest that did not return.
pub(crate) fn failure(store: &mut Store<StoreData>, error: &wasmtime::Error) -> Error {
    if let Some(known) = error.downcast_ref::<Error>() {
        return known.clone();
    }
    let said = store.data().host.kernel.and_then(|_| memory::error(store));
    let mut failure = classify(store, error);
    failure.backtrace = collapse(frames(store, error));
    if let Some(said) = said {
        failure.message = format!("{said} ({})", failure.message);
    }
    if let Some(words) = last_words(store, &failure) {
        failure.message = format!("{}; {words}", failure.message);
    }
    if let Some(note) = store.data_mut().host.note.take() {
        failure.message = format!("{}; {note}", failure.message);
    }
    failure
}

/// The last words of a guest that ended itself: a panic is a trap or an exit, and its text was printed or logged
/// before.
fn last_words(store: &Store<StoreData>, failure: &Error) -> Option<String> {
    let ended_itself = match failure.reason {
        Reason::Exit => true,
        Reason::Trap => failure.trap.as_deref() == Some(UNREACHABLE),
        _ => false,
    };
    if !ended_itself {
        return None;
    }
    if let Some(words) = store.data().host.plugin.last_words.take() {
        let words = text::shown(words.as_bytes(), WORDS);
        return Some(format!("the plugin said last: {words}"));
    }
    let mut functions = failure
        .backtrace
        .iter()
        .filter_map(|f| f.function.as_deref());
    functions.any(|function| function.contains("panicking::")).then(|| {
        "it is a panic of Rust, whose text the plugin did not print; std::panic::set_hook can log it".into()
    })
}

/// Wasmtime's name for the trap of the `unreachable` instruction.
const UNREACHABLE: &str = "wasm `unreachable` instruction executed";

/// The most bytes of a guest's last words in an error.
const WORDS: usize = 1024;

/// The reason and the message of an error, from its type.
fn classify(store: &Store<StoreData>, error: &wasmtime::Error) -> Error {
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
        return Error::new(Reason::Fuel, out_of_fuel(store));
    }
    if let Some(full) = full_heap(error) {
        let limit = store.data().host.plugin.limits.memory;
        let pages = limit >> 16;
        let message = format!(
            "the plugin's garbage-collected heap is full: {full}; it counts against the limit of {limit} bytes \
             (memory: %{{max_pages: {pages}}}), and has at most 4 GiB"
        );
        return Error::new(Reason::OutOfMemory, message);
    }
    if let Some(trap) = error.downcast_ref::<Trap>() {
        // Wasmtime's messages look like "wasm trap: out of bounds memory access".
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

fn out_of_fuel(store: &Store<StoreData>) -> String {
    let limit = match store.data().host.plugin.fuel {
        Some(FuelLimits {
            call,
            initialisation,
        }) if call == initialisation => {
            format!("; the limit is {call} units (fuel: {call})")
        }
        Some(FuelLimits {
            call,
            initialisation: init,
        }) => format!(
            "; the limit is {call} units for a call (fuel: {call}) and {init} units for the initialisation \
             (init_fuel: {init})"
        ),
        None => String::new(),
    };
    format!("plugin ran out of fuel{limit}")
}

/// The text for an error that says that the guest's garbage-collected heap is full; `None` for other errors.
fn full_heap(error: &wasmtime::Error) -> Option<String> {
    if let Some(Trap::AllocationTooLarge) = error.downcast_ref::<Trap>() {
        return Some("an object is larger than any heap".into());
    }
    // The message ends with the number of bytes.
    let full = error.downcast_ref::<GcHeapOutOfMemory<()>>()?.to_string();
    let what = full.split_once(": ").map_or(&*full, |(_, what)| what);
    Some(what.into())
}

fn frames(store: &Store<StoreData>, error: &wasmtime::Error) -> Vec<Frame> {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else {
        return Vec::new();
    };
    let linked = store.data().instances.linked.as_deref();
    let frames = backtrace.frames().iter();
    frames
        .map(|frame| {
            let (file, line) = linked.and_then(|linked| place(linked, frame)).unzip();
            Frame {
                function: frame.func_name().map(|known| text::name(&demangled(known))),
                index: frame.func_index(),
                offset: frame.module_offset(),
                file,
                line: line.flatten(),
                repeated: None,
            }
        })
        .collect()
}

/// The file and the line of a frame, if the module was compiled with debug lines.
fn place(linked: &LinkedPlugin, frame: &FrameInfo) -> Option<(String, Option<u32>)> {
    let code = frame.module().image_range();
    let mut modules = linked.modules.iter().map(|module| &module.compiled);
    let compiled = modules.find(|compiled| compiled.module.image_range() == code)?;
    let lines = compiled.lines.as_ref()?;
    let (file, line) = lines.find(frame.func_index(), frame.func_offset()?)?;
    Some((file.to_owned(), line))
}
