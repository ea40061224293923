//! One slice, and the term that says what the call needs next.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;
use rustler::{Atom, Encoder, Env, ResourceArc, Term};
use vitrine_core::{Call, Finished, LARGE, Reply, Request, Scheduler, Step, Stream};

use super::{CallResource, Parked, State};
use crate::{atoms, bytes, error, http, reply, scheduler, value};

/// Runs a slice. `parked` is the call's resource if it has been parked before.
pub(super) fn step<'a>(
    env: Env<'a>,
    mut call: Call,
    parked: Option<Parked<'a>>,
    scheduler: Scheduler,
    reply: Option<Reply>,
) -> Term<'a> {
    let step = call.resume(scheduler, reply);
    if scheduler == Scheduler::Normal {
        scheduler::charge(env, call.last_slice());
    }
    match step {
        Step::Done(finished) => end(env, finished, parked, scheduler),
        Step::SliceOver => (atoms::slice(), park(env, parked, call)).encode(env),
        Step::Waiting(left) => wait(env, parked, call, left),
        Step::Parked(Request::HostFunction {
            index,
            args,
            results,
        }) => {
            let args: Vec<_> = args
                .into_iter()
                .map(|arg| value::encode(env, arg))
                .collect();
            let next = next(&call);
            (
                atoms::host_function(),
                park(env, parked, call),
                index,
                args,
                results,
                next,
            )
                .encode(env)
        }
        Step::Parked(Request::Log { level, message }) => {
            let (message, next) = (bytes::give(env, message), next(&call));
            (
                atoms::log(),
                park(env, parked, call),
                level as i32,
                message,
                next,
            )
                .encode(env)
        }
        Step::Parked(Request::Print { stream, text }) => {
            let stream = match stream {
                Stream::Stdout => atoms::stdout(),
                Stream::Stderr => atoms::stderr(),
            };
            let (text, next) = (bytes::give(env, text), next(&call));
            (atoms::print(), park(env, parked, call), stream, text, next).encode(env)
        }
        Step::Parked(Request::Http(request)) => {
            let left = milliseconds(env, call.time_left());
            let (request, next) = (http::encode(env, request), next(&call));
            (atoms::http(), park(env, parked, call), request, left, next).encode(env)
        }
    }
}

/// The scheduler on which the call is to be resumed.
fn next(call: &Call) -> Atom {
    match call.next_scheduler() {
        Scheduler::Normal => atoms::normal(),
        Scheduler::Dirty => atoms::dirty(),
    }
}

fn park<'a>(env: Env<'a>, parked: Option<Parked<'a>>, call: Call) -> Term<'a> {
    keep(env, parked, State::Parked(call))
}

fn keep<'a>(env: Env<'a>, parked: Option<Parked<'a>>, state: State) -> Term<'a> {
    match parked {
        Some(Parked { term, resource }) => {
            *resource.0.lock() = state;
            term
        }
        None => ResourceArc::new(CallResource(Mutex::new(state))).encode(env),
    }
}

fn end<'a>(
    env: Env<'a>,
    mut finished: Finished,
    parked: Option<Parked<'a>>,
    scheduler: Scheduler,
) -> Term<'a> {
    let large = finished.output().is_ok_and(|output| output.len() > LARGE);
    if !large || scheduler == Scheduler::Dirty {
        return output(env, finished);
    }
    let kept = keep(env, parked, State::Finished(finished));
    (atoms::output(), kept).encode(env)
}

pub(super) fn output<'a>(env: Env<'a>, mut finished: Finished) -> Term<'a> {
    match finished.output() {
        Ok(output) => (atoms::ok(), bytes::copy(env, output)).encode(env),
        Err(e) => error::encode(env, e),
    }
}

fn wait<'a>(
    env: Env<'a>,
    parked: Option<Parked<'a>>,
    call: Call,
    left: Option<Duration>,
) -> Term<'a> {
    static WAKES: AtomicU64 = AtomicU64::new(0);
    let (to, id) = (env.pid(), WAKES.fetch_add(1, Relaxed));
    if !call.arm(Box::new(move || reply::wake(to, id))) {
        return (atoms::slice(), park(env, parked, call)).encode(env);
    }
    (
        atoms::wait(),
        park(env, parked, call),
        id,
        milliseconds(env, left),
    )
        .encode(env)
}

/// The time that is left, rounded up so that a wait of this length ends after the deadline and not before it.
pub(super) fn milliseconds(env: Env<'_>, left: Option<Duration>) -> Term<'_> {
    match left {
        Some(left) => (left.as_millis() as u64 + 1).encode(env),
        None => atoms::infinity().encode(env),
    }
}
