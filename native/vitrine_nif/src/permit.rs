//! Permits for dirty CPU schedulers. There are as many permits as such schedulers (see `run_queue` in `vitrine_core`). A
//! process asks for one on its normal scheduler before it calls a NIF that takes long on a dirty scheduler. The NIF, or the
//! process, returns the permit.
//!
//! The answer is `{:ok, permit}` or `{:wait, permit}`: ask again with that permit when `{:vitrine_wake, id}` comes. A permit
//! that its process does not return is returned when it is garbage collected.

use std::sync::Arc;

use parking_lot::Mutex;
use rustler::{Atom, Encoder, Env, NifMap, Resource, ResourceArc, Term};
use vitrine_core::{Invite, Permit};

use crate::{atoms, reply};

pub struct PermitResource(Mutex<Asked>);

#[derive(Default)]
struct Asked {
    permit: Permit,
    /// Wakes the process, which then asks again.
    waker: Option<Arc<Waker>>,
}

#[rustler::resource_impl]
impl Resource for PermitResource {
    fn destructor(self, env: Env<'_>) {
        // Other processes may be invited.
        reply::on_scheduler(env, || drop(self));
    }
}

/// Wakes a process at most once, even if several threads try.
pub struct Waker(Mutex<Option<reply::Asker>>);

impl Waker {
    fn new(env: Env<'_>, id: Term<'_>) -> Arc<Waker> {
        Arc::new(Waker(Mutex::new(Some(reply::Asker::new(env, id)))))
    }

    /// True if the process has been woken.
    pub fn wake(&self) -> bool {
        let mut asker = self.0.lock();
        let told = asker.as_mut().is_none_or(reply::Asker::wake);
        if told {
            *asker = None;
        }
        told
    }

    /// Sends no message any more once this returns.
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

    /// Runs `work` on a dirty scheduler and returns the permit.
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

/// Asks for a permit. If the process must wait, there is a waker, which may also wake the process for other reasons.
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

/// Asks for a permit for work that is not a call, or for a call that has not begun.
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

/// Returns a permit, or gives up the place in the queue for one. No wake-up comes after this.
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

/// The number of permits in all, of permits that are taken, of processes that were invited, and of processes that wait.
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
