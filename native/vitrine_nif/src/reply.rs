//! Sends messages to Elixir processes, also from threads that are not schedulers.
//!
//! OTP builds a map of more than 32 keys with memory that only a scheduler thread has: on other threads it ends the VM. So
//! messages from here consist of binaries, numbers, lists, tuples, resources, atoms that existed when the library was loaded,
//! and maps with a fixed small number of keys (`NifMap`). A map with as many keys as a guest likes is made by the receiver.

use std::cell::Cell;
use std::ffi::c_void;
use std::ptr::null_mut;

use rustler::env::SavedTerm;
use rustler::{Encoder, Env, LocalPid, OwnedEnv, Term};

use crate::atoms;

/// A process that waits for an answer, and the reference by which it recognises the answer.
pub struct Asker {
    pid: LocalPid,
    env: OwnedEnv,
    id: SavedTerm,
}

impl Asker {
    /// The process that runs this NIF.
    pub fn new(env: Env<'_>, id: Term<'_>) -> Asker {
        let (pid, env) = (env.pid(), OwnedEnv::new());
        let id = env.save(id);
        Asker { pid, env, id }
    }

    /// Sends `{:vitrine_wake, id}`, as [`wake`] does. False if the process is gone. False also on a dirty scheduler that works
    /// for a process that was killed meanwhile, because OTP lets such a process send nothing.
    pub fn wake(&mut self) -> bool {
        let Asker { pid, env, id } = self;
        let scheduler = ENV.get();
        if scheduler.is_null() {
            // The saved term outlives the message.
            let mut message = OwnedEnv::new();
            let sent = message.send_and_clear(pid, |message| {
                let id = env.run(|env| id.load(env).in_env(message));
                (atoms::vitrine_wake(), id).encode(message)
            });
            return sent.is_ok();
        }
        // SAFETY: as in `wake`.
        let scheduler = unsafe { Env::new(&(), scheduler.cast()) };
        let id = env.run(|env| id.load(env).in_env(scheduler));
        scheduler.send(pid, (atoms::vitrine_wake(), id)).is_ok()
    }

    /// Sends `{:vitrine_reply, id, result}`. Must not run on a scheduler, and `result` must not make a large map.
    pub fn answer(self, result: impl for<'a> FnOnce(Env<'a>) -> Term<'a>) {
        let Asker { pid, mut env, id } = self;
        // It fails only if the process is gone and needs no answer.
        let _ = env.send_and_clear(&pid, |env| {
            let result = result(env);
            (atoms::vitrine_reply(), id.load(env), result).encode(env)
        });
    }
}

thread_local! {
    /// The environment of the NIF that runs on this scheduler, while it may wake a call.
    static ENV: Cell<*mut c_void> = const { Cell::new(null_mut()) };
}

/// Restores the previous environment, also after a panic.
struct Restore(*mut c_void);

impl Drop for Restore {
    fn drop(&mut self) {
        ENV.set(self.0);
    }
}

/// Runs `body`, in which [`wake`] may be called, on a scheduler.
pub fn on_scheduler<R>(env: Env<'_>, body: impl FnOnce() -> R) -> R {
    let _restore = Restore(ENV.replace(env.as_c_arg().cast()));
    body()
}

/// Sends `{:vitrine_wake, id}`. The message is in the mailbox when this returns, so a process that has disarmed its waker knows
/// that no message is under way.
pub fn wake(to: LocalPid, id: u64) {
    let env = ENV.get();
    if env.is_null() {
        let _ = OwnedEnv::new().send_and_clear(&to, |env| (atoms::vitrine_wake(), id).encode(env));
    } else {
        // SAFETY: `on_scheduler` set `env` for the duration of a call on this very thread, which holds the environment that it
        // came from.
        let env = unsafe { Env::new(&(), env.cast()) };
        let _ = env.send(&to, (atoms::vitrine_wake(), id));
    }
}
