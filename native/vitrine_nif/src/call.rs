//! Calls: each NIF runs one slice and says what the call needs next.
//!
//! * `{:ok, output}` and `{:error, details}`: it has ended
//! * `{:output, call}`: it has ended; its output is to be taken on a dirty scheduler
//! * `{:host_function, call, index, args, results, scheduler}` and
//!   `{:log, call, level, message, scheduler}` and
//!   `{:print, call, :stdout | :stderr, text, scheduler}`: do that and resume on that scheduler
//! * `{:http, call, {method, url, headers, body | nil}, milliseconds | :infinity, scheduler}`: make
//!   the request within that time and resume on that scheduler
//! * `{:slice, call}`: resume on a dirty scheduler, with a permit
//! * `{:wait, call, wake, milliseconds | :infinity}`: resume when `{:vitrine_wake, wake}` comes
//!
//! NIFs on dirty schedulers take a permit, see [`crate::permit`], and give it back.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;
use rustler::{Atom, Binary, Decoder, Encoder, Env, Error, NifResult, Resource, ResourceArc, Term};
use vitrine_core::{Call, Finished, LARGE, Reply, Request, Scheduler, Step, Stream};

use crate::permit::{self, PermitResource};
use crate::plugin::PluginResource;
use crate::{atoms, bytes, error, http, options, reply, value};

enum State {
    Parked(Call),
    Finished(Finished),
    /// In a slice, or ended.
    Taken,
}

/// A call between two slices. The process that makes the call holds the only reference: when it
/// dies the call is dropped, and with it the guest.
struct CallResource(Mutex<State>);

#[rustler::resource_impl]
impl Resource for CallResource {}

impl CallResource {
    fn take_parked(&self) -> NifResult<Call> {
        let mut state = self.0.lock();
        match std::mem::replace(&mut *state, State::Taken) {
            State::Parked(call) => Ok(call),
            other => {
                *state = other;
                Err(Error::BadArg)
            }
        }
    }

    fn take_finished(&self) -> NifResult<Finished> {
        let mut state = self.0.lock();
        match std::mem::replace(&mut *state, State::Taken) {
            State::Finished(finished) => Ok(finished),
            other => {
                *state = other;
                Err(Error::BadArg)
            }
        }
    }
}

/// A call that has been parked before, as the process has it.
#[derive(Clone, Copy)]
struct Parked<'a> {
    term: Term<'a>,
    resource: &'a CallResource,
}

impl<'a> Decoder<'a> for Parked<'a> {
    fn decode(term: Term<'a>) -> NifResult<Self> {
        let resource = term.decode()?;
        Ok(Parked { term, resource })
    }
}

#[rustler::nif]
fn call_start<'a>(
    env: Env<'a>,
    plugin: &PluginResource,
    function: Binary,
    input: Binary,
    timeout: Term<'a>,
    log_level: i32,
) -> NifResult<Term<'a>> {
    start(
        env,
        plugin,
        function,
        input,
        options::call(timeout, log_level)?,
        Scheduler::Normal,
    )
}

#[rustler::nif(schedule = "DirtyCpu")]
fn call_start_dirty<'a>(
    env: Env<'a>,
    permit: &PermitResource,
    plugin: &PluginResource,
    function: Binary,
    input: Binary,
    timeout: Term<'a>,
    log_level: i32,
) -> NifResult<Term<'a>> {
    permit.run(env, || {
        let options = options::call(timeout, log_level)?;
        start(env, plugin, function, input, options, Scheduler::Dirty)
    })
}

/// The same with a standard input for this call beside its input.
#[rustler::nif(schedule = "DirtyCpu")]
fn call_start_stdin<'a>(
    env: Env<'a>,
    permit: &PermitResource,
    plugin: &PluginResource,
    function: Binary,
    (input, stdin): (Binary, Binary),
    timeout: Term<'a>,
    log_level: i32,
) -> NifResult<Term<'a>> {
    permit.run(env, || {
        let options = options::call(timeout, log_level)?;
        let stdin = stdin.as_slice().to_vec().into();
        let (plugin, function) = (&plugin.0, name(&function));
        let started = plugin.start_with_stdin(function, input.as_slice(), stdin, options);
        Ok(first(env, started, Scheduler::Dirty))
    })
}

/// The name of a function. What is no UTF-8 is the name of nothing.
fn name<'a>(function: &'a Binary) -> &'a str {
    std::str::from_utf8(function.as_slice()).unwrap_or("\u{FFFD}")
}

fn first<'a>(
    env: Env<'a>,
    started: Result<Call, vitrine_core::Error>,
    scheduler: Scheduler,
) -> Term<'a> {
    match started {
        Ok(call) => step(env, call, None, scheduler, None),
        Err(e) => error::encode(env, &e),
    }
}

fn start<'a>(
    env: Env<'a>,
    plugin: &PluginResource,
    function: Binary,
    input: Binary,
    options: vitrine_core::CallOptions,
    scheduler: Scheduler,
) -> NifResult<Term<'a>> {
    let started = plugin.0.start(name(&function), input.as_slice(), options);
    Ok(first(env, started, scheduler))
}

/// Makes the plugin's instance.
#[rustler::nif]
fn plugin_initialise<'a>(
    env: Env<'a>,
    plugin: &PluginResource,
    timeout: Term<'a>,
    log_level: i32,
) -> NifResult<Term<'a>> {
    let options = options::call(timeout, log_level)?;
    Ok(initialise(env, plugin, options, Scheduler::Normal))
}

#[rustler::nif(schedule = "DirtyCpu")]
fn plugin_initialise_dirty<'a>(
    env: Env<'a>,
    permit: &PermitResource,
    plugin: &PluginResource,
    timeout: Term<'a>,
    log_level: i32,
) -> NifResult<Term<'a>> {
    permit.run(env, || {
        let options = options::call(timeout, log_level)?;
        Ok(initialise(env, plugin, options, Scheduler::Dirty))
    })
}

fn initialise<'a>(
    env: Env<'a>,
    plugin: &PluginResource,
    options: vitrine_core::CallOptions,
    scheduler: Scheduler,
) -> Term<'a> {
    match plugin.0.initialise(options) {
        Ok(call) => step(env, call, None, scheduler, None),
        Err(e) => error::encode(env, &e),
    }
}

#[rustler::nif]
fn call_resume<'a>(env: Env<'a>, call: Parked<'a>, reply: Term<'a>) -> NifResult<Term<'a>> {
    resume(env, call, reply, Scheduler::Normal)
}

#[rustler::nif(schedule = "DirtyCpu")]
fn call_resume_dirty<'a>(
    env: Env<'a>,
    permit: &PermitResource,
    call: Parked<'a>,
    reply: Term<'a>,
) -> NifResult<Term<'a>> {
    permit.run(env, || resume(env, call, reply, Scheduler::Dirty))
}

/// A permit for the next slice: as `permit_ask/3` answers, with the time that the call may wait, or `:over` if the call is to
/// be resumed with `:timeout` on a normal scheduler, because nothing is left to it but to end.
#[rustler::nif]
fn call_permit<'a>(
    env: Env<'a>,
    call: &CallResource,
    permit: Option<ResourceArc<PermitResource>>,
    id: Term<'a>,
    schedulers: usize,
) -> NifResult<Term<'a>> {
    let state = call.0.lock();
    let patience = match &*state {
        State::Parked(call) if call.is_over() => {
            if let Some(permit) = permit {
                reply::on_scheduler(env, || permit.leave());
            }
            return Ok(atoms::over().encode(env));
        }
        State::Parked(call) => call.patience(),
        // Its output is to be taken.
        State::Finished(_) => None,
        State::Taken => return Err(Error::BadArg),
    };
    let (permit, waker) = permit::ask(env, permit, id, schedulers);
    let Some(waker) = waker else {
        return Ok((atoms::ok(), permit).encode(env));
    };
    let cancelled = Box::new(move || {
        waker.wake();
    });
    if let State::Parked(call) = &*state
        && !reply::on_scheduler(env, || call.on_cancel(cancelled))
    {
        return Ok((atoms::wait(), permit, 0).encode(env));
    }
    Ok((atoms::wait(), permit, milliseconds(env, patience)).encode(env))
}

fn resume<'a>(
    env: Env<'a>,
    parked: Parked<'a>,
    reply: Term<'a>,
    scheduler: Scheduler,
) -> NifResult<Term<'a>> {
    let reply = decode_reply(reply)?;
    let call = parked.resource.take_parked()?;
    Ok(step(env, call, Some(parked), scheduler, reply))
}

/// The output of a call that ended with `{:output, call}`.
#[rustler::nif(schedule = "DirtyCpu")]
fn call_output<'a>(
    env: Env<'a>,
    permit: &PermitResource,
    call: &CallResource,
) -> NifResult<Term<'a>> {
    permit.run(env, || {
        let finished = call.take_finished()?;
        Ok(output(env, finished))
    })
}

/// Whether a call that is parked has been cancelled meanwhile.
#[rustler::nif]
fn call_cancelled(call: &CallResource) -> bool {
    matches!(&*call.0.lock(), State::Parked(call) if call.is_cancelled())
}

/// Gives up a call that is parked, and with it the guest, or the output of one that has ended.
/// Nothing if it is in a slice.
#[rustler::nif]
fn call_drop(call: &CallResource) -> Atom {
    let state = std::mem::replace(&mut *call.0.lock(), State::Taken);
    // What it had is given back without the lock.
    drop(state);
    atoms::ok()
}

/// `:go`, `{:values, values}`, `{:http, {status, headers, body}}`, `{:error, text}`,
/// `:timeout` or `:failed`.
fn decode_reply(term: Term<'_>) -> NifResult<Option<Reply>> {
    if let Ok(atom) = term.decode::<Atom>() {
        return match atom {
            _ if atom == atoms::go() => Ok(None),
            _ if atom == atoms::failed() => Ok(Some(Reply::Failed)),
            _ if atom == atoms::timeout() => Ok(Some(Reply::Timeout)),
            _ => Err(Error::BadArg),
        };
    }
    let (kind, content): (Atom, Term) = term.decode()?;
    if kind == atoms::values() {
        let values: Vec<Term> = content.decode()?;
        let values = values
            .into_iter()
            .map(value::decode)
            .collect::<NifResult<_>>()?;
        return Ok(Some(Reply::Values(values)));
    }
    if kind == atoms::http() {
        return Ok(Some(Reply::Http(http::decode(content)?)));
    }
    Ok(Some(Reply::Error(
        content.decode::<Binary>()?.as_slice().to_vec(),
    )))
}

/// Runs a slice. `parked` is the call's resource if it has been parked before.
fn step<'a>(
    env: Env<'a>,
    mut call: Call,
    parked: Option<Parked<'a>>,
    scheduler: Scheduler,
    reply: Option<Reply>,
) -> Term<'a> {
    let step = call.resume(scheduler, reply);
    if scheduler == Scheduler::Normal {
        charge(env, &call);
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

/// Where the call is to be resumed.
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

fn output<'a>(env: Env<'a>, mut finished: Finished) -> Term<'a> {
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

/// The time that is left, rounded up: what ends with it ends after the deadline, not before.
fn milliseconds(env: Env<'_>, left: Option<Duration>) -> Term<'_> {
    match left {
        Some(left) => (left.as_millis() as u64 + 1).encode(env),
        None => atoms::infinity().encode(env),
    }
}

/// Lets the scheduler count the slice as the work that it was.
fn charge(env: Env<'_>, call: &Call) {
    let percent = call.last_slice().as_micros() / 10;
    if percent > 0 {
        rustler::schedule::consume_timeslice(env, percent.min(100) as i32);
    }
}
