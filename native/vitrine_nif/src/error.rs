//! Encodes errors as `{:error, {reason, message, code, trap, backtrace}}`. If a call ran out of time, the message is
//! `{message, spent}`, where `spent` is a list of pairs: what took the time, and how many nanoseconds.

use rustler::{Atom, Encoder, Env, Term};
use vitrine_core::{Awaited, Error, Reason, Spent};

use crate::atoms;

pub fn encode<'a>(env: Env<'a>, error: &Error) -> Term<'a> {
    let backtrace: Vec<_> = error
        .backtrace
        .iter()
        .map(|frame| {
            let (function, file) = (frame.function.as_deref(), frame.file.as_deref());
            (
                function,
                frame.index,
                frame.offset,
                file,
                frame.line,
                frame.repeated,
            )
        })
        .collect();
    let message = match &error.spent {
        Some(spent) => (&error.message, times(env, spent)).encode(env),
        None => error.message.encode(env),
    };
    let details = (
        reason(error.reason),
        message,
        error.code,
        &error.trap,
        backtrace,
    );
    (atoms::error(), details).encode(env)
}

fn times<'a>(env: Env<'a>, spent: &Spent) -> Vec<(Term<'a>, u64)> {
    let own = [
        (atoms::initialise(), spent.initialising),
        (atoms::guest(), spent.guest),
        (atoms::others(), spent.others),
        (atoms::scheduler(), spent.queued()),
    ];
    let own = own.map(|(what, time)| (what.encode(env), time));
    let awaited = spent.awaited.iter().map(|(what, time)| {
        let what = match what {
            Awaited::HostFunction(index) => (atoms::host_function(), index).encode(env),
            Awaited::Http(url) => (atoms::http(), url).encode(env),
            Awaited::Log => atoms::log().encode(env),
            Awaited::Wasi => atoms::wait().encode(env),
            Awaited::Admission => atoms::admission().encode(env),
        };
        (what, *time)
    });
    own.into_iter().chain(awaited).collect()
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
