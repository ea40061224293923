//! The report to normal schedulers of the time that a NIF took: reductions, so that the process gives way when its time is
//! used up.

use std::time::{Duration, Instant};

use rustler::{Env, Term};

/// Charges the process for work that took so long: one percent of its turn for each ten microseconds.
pub fn charge(env: Env<'_>, took: Duration) {
    let percent = took.as_micros() / 10;
    if percent > 0 {
        rustler::schedule::consume_timeslice(env, percent.min(100) as i32);
    }
}

/// Runs `work` on a normal scheduler and charges the process for it.
pub fn charged<'a>(env: Env<'a>, work: impl FnOnce() -> Term<'a>) -> Term<'a> {
    let begun = Instant::now();
    let result = work();
    charge(env, begun.elapsed());
    result
}
