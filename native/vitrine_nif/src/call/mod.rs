//! Calls: each NIF runs one slice and answers what the call needs next.
//!
//! * `{:ok, output}` and `{:error, details}`: the call has ended
//! * `{:output, call}`: the call has ended; take its output on a dirty scheduler
//! * `{:host_function, call, index, args, results, scheduler}` and
//!   `{:log, call, level, message, scheduler}` and
//!   `{:print, call, :stdout | :stderr, text, scheduler}`: do that and resume on that scheduler
//! * `{:http, call, {method, url, headers, body | nil}, milliseconds | :infinity, scheduler}`: make
//!   the request within that time and resume on that scheduler
//! * `{:slice, call}`: resume on a dirty scheduler, with a permit
//! * `{:wait, call, wake, milliseconds | :infinity}`: resume when `{:vitrine_wake, wake}` comes
//!
//! NIFs on dirty schedulers take a permit (see [`crate::permit`]) and return it.

mod step;

use parking_lot::Mutex;
use rustler::{Atom, Binary, Decoder, Encoder, Env, Error, NifResult, Resource, ResourceArc, Term};
use vitrine_core::{Call, Finished, Reply, Scheduler};

use self::step::{milliseconds, output, step};
use crate::permit::{self, PermitResource};
use crate::plugin::PluginResource;
use crate::{atoms, error, http, options, reply, value};

enum State {
    Parked(Call),
    Finished(Finished),
    /// In a slice, or ended.
    Taken,
}

/// A call between two slices. The process that makes the call holds the only reference, so when that process dies, the call
/// and its guest are dropped.
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

/// A call that has been parked before: the term that the process holds, and its resource.
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

/// Like `call_start_dirty`, with a standard input for this call in addition to its input.
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

/// The name of a function. Bytes that are not UTF-8 become a name that no function has.
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

/// Creates the plugin's instance.
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

/// Asks for a permit for the next slice. The answer is that of `permit_ask/3` with the time that the call may wait, or `:over`
/// if the call can only end: it is to be resumed with `:timeout` on a normal scheduler.
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
        // The permit is for taking the output.
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

/// Drops a parked call with its guest, or the output of a call that has ended. A call that is in a slice is left alone.
#[rustler::nif]
fn call_drop(call: &CallResource) -> Atom {
    let state = std::mem::replace(&mut *call.0.lock(), State::Taken);
    // The lock is not held while the call is dropped.
    drop(state);
    atoms::ok()
}

/// A reply is `:go`, `{:values, values}`, `{:http, {status, headers, body}}`, `{:error, text}`, `:timeout` or `:failed`.
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
