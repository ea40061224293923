//! Encodes a plugin's counters.

use std::time::Duration;

use rustler::{Env, NifMap, Term};
use vitrine_core::Stats;

use crate::error;

#[derive(NifMap)]
pub struct StatsTerm<'a> {
    calls: u64,
    errors: Term<'a>,
    abandoned: u64,
    instances: u64,
    slices: u64,
    guest_us: u64,
    host_calls: u64,
    host_us: u64,
    fuel: u64,
    memory_bytes: u64,
    peak_memory_bytes: u64,
    vars_bytes: u64,
}

impl<'a> StatsTerm<'a> {
    pub fn new(env: Env<'a>, stats: Stats) -> Self {
        let errors = stats.errors.iter();
        let errors = errors.fold(Term::map_new(env), |map, (reason, count)| {
            // This fails only for a term that is not a map.
            map.map_put(error::reason(*reason), count).unwrap_or(map)
        });
        StatsTerm {
            calls: stats.calls,
            errors,
            abandoned: stats.abandoned,
            instances: stats.instances,
            slices: stats.slices,
            guest_us: micros(stats.in_guest),
            host_calls: stats.host_calls,
            host_us: micros(stats.in_host),
            fuel: stats.fuel,
            memory_bytes: stats.memory,
            peak_memory_bytes: stats.memory_peak,
            vars_bytes: stats.vars,
        }
    }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
