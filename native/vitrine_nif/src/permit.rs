//! Permits for dirty CPU schedulers, of which no more are given out than there are such schedulers: see
//! `vitrine_core`'s `run_queue`. A process asks on its normal scheduler before it calls a NIF that takes long on a dirty
//! one, and the NIF, or the process, gives the permit back.
//!
//! The answer is `{:ok, permit}` or `{:wait, permit}`: ask again with that permit when `{:vitrine_wake, id}` comes.
//! A permit that its process does not give back is given back when it is collected.

use std::sync::Arc;

use parking_lot::Mutex;
use rustler::{Atom, Encoder, Env, NifMap, Resource, ResourceArc, Term};
use vitrine_core::{Invite, Permit};

use crate::{atoms, reply};

pub struct PermitResource(Mutex<Asked>);

#[derive(Default)]
struct Asked {
    permit: Permit,
    /// Who is told to ask again.
    waker: Option<Arc<Waker>>,
}

#[rustler::resource_impl]
impl Resource for PermitResource {
    fn destructor(self, env: Env<'_>) {
        // Others may be told.
        reply::on_scheduler(env, || drop(self));
    }
}

/// Wakes a process once at most, whoever does it.
pub struct Waker(Mutex<Option<reply::Asker>>);

impl Waker {
    fn new(env: Env<'_>, id: Term<'_>) -> Arc<Waker> {
        Arc::new(Waker(Mutex::new(Some(reply::Asker::new(env, id)))))
    }

    /// Whether the process is told.
    pub fn wake(&self) -> bool {
        let mut asker = self.0.lock();
        let told = asker.as_mut().is_none_or(reply::Asker::wake);
        if told {
            *asker = None;
        }
        told
    }

    /// No message is sent any more once this returns.
    fn forget(&self) {
        *self.0.lock() = None;
    }
}

impl PermitResource {
    pub fn leave(&self) {
        let mut asked = self.0.lock();
        asked.permit.leave();
        if let Some(waker) = asked.waker.take() {
            waker.forget();
        }
    }

    /// Runs `work` on a dirty scheduler, and gives the permit back.
    pub fn run<R>(&self, env: Env<'_>, work: impl FnOnce() -> R) -> R {
        struct Leave<'a>(&'a PermitResource);
        impl Drop for Leave<'_> {
            fn drop(&mut self) {
                self.0.leave();
            }
        }
        reply::on_scheduler(env, || {
            self.0.lock().permit.begin();
            let done = {
                let _leave = Leave(self);
                work()
            };
            // Dirty schedulers that never sleep take all of their time from the operating system, and normal schedulers
            // that become ready wait for the rest of it: milliseconds, which is more than a slice.
            std::thread::yield_now();
            done
        })
    }
}

/// Asks for a permit. The waker is there if the process must wait: it wakes the process also for other reasons.
pub fn ask<'a>(
    env: Env<'a>,
    permit: Option<ResourceArc<PermitResource>>,
    id: Term<'a>,
    schedulers: usize,
) -> (ResourceArc<PermitResource>, Option<Arc<Waker>>) {
    let permit = permit.unwrap_or_else(|| ResourceArc::new(PermitResource(Mutex::default())));
    let mut waker = None;
    {
        let Asked {
            permit,
            waker: known,
        } = &mut *permit.0.lock();
        let invite = || {
            let new = Waker::new(env, id);
            *known = Some(Arc::clone(&new));
            waker = Some(Arc::clone(&new));
            Box::new(move || new.wake()) as Invite
        };
        reply::on_scheduler(env, || permit.ask(schedulers, invite));
    }
    (permit, waker)
}

/// A place for work of a process that is not a call, or has not begun.
#[rustler::nif]
fn permit_ask<'a>(
    env: Env<'a>,
    permit: Option<ResourceArc<PermitResource>>,
    id: Term<'a>,
    schedulers: usize,
) -> Term<'a> {
    let (permit, waker) = ask(env, permit, id, schedulers);
    let answer = match waker {
        None => atoms::ok(),
        Some(_) => atoms::wait(),
    };
    (answer, permit).encode(env)
}

/// Gives back a permit, or the place in the queue for one. No wake-up comes after this.
#[rustler::nif]
fn permit_leave(env: Env<'_>, permit: &PermitResource) -> Atom {
    reply::on_scheduler(env, || permit.leave());
    atoms::ok()
}

#[derive(NifMap)]
struct PermitsTerm {
    limit: usize,
    taken: usize,
    invited: usize,
    waiting: usize,
}

/// How many permits there are, are taken, are on offer, and how many processes wait for one.
#[rustler::nif]
fn permits() -> PermitsTerm {
    let counts = vitrine_core::permits();
    PermitsTerm {
        limit: counts.limit,
        taken: counts.taken,
        invited: counts.invited,
        waiting: counts.waiting,
    }
}
