//! Errors as terms: `{:error, {reason, message, code, trap, backtrace}}`.

use rustler::{Atom, Encoder, Env, Term};
use vitrine_core::{Error, Reason};

use crate::atoms;

pub fn encode<'a>(env: Env<'a>, error: &Error) -> Term<'a> {
    let backtrace: Vec<_> = error
        .backtrace
        .iter()
        .map(|frame| {
            let (function, file) = (frame.function.as_deref(), frame.file.as_deref());
            (function, frame.index, frame.offset, file, frame.line)
        })
        .collect();
    let details = (
        reason(error.reason),
        &error.message,
        error.code,
        &error.trap,
        backtrace,
    );
    (atoms::error(), details).encode(env)
}

pub fn reason(reason: Reason) -> Atom {
    match reason {
        Reason::GuestError => atoms::guest_error(),
        Reason::Trap => atoms::trap(),
        Reason::Exit => atoms::exit(),
        Reason::Timeout => atoms::timeout(),
        Reason::Cancelled => atoms::cancelled(),
        Reason::OutOfMemory => atoms::out_of_memory(),
        Reason::Fuel => atoms::fuel(),
        Reason::OutputTooLarge => atoms::output_too_large(),
        Reason::Manifest => atoms::manifest(),
        Reason::Vars => atoms::vars(),
        Reason::HostFunction => atoms::host_function(),
        Reason::Http => atoms::http(),
        Reason::FunctionNotFound => atoms::function_not_found(),
        Reason::Link => atoms::link(),
        Reason::Compile => atoms::compile(),
        Reason::Snapshot => atoms::snapshot(),
        Reason::Busy => atoms::busy(),
        Reason::Closed => atoms::closed(),
    }
}
