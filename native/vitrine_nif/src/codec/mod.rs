//! JSON and MessagePack as terms, and terms as these.
//!
//! Each NIF is there twice. On a normal scheduler reading is for what is short, and writing gives
//! up with `:large` after a budget of work: how large a term is, nobody knows before. Both recurse
//! no deeper than [`DEPTH`], which any scheduler's stack can hold.
//!
//! Reading answers `{:ok, term}` or `{:error, message}`; writing `{:ok, binary}`, `:large` or
//! `{:error, {problem, term, path}}`, where the path has indices of lists and `{key}` of maps.

mod build;
mod json;
mod msgpack;
mod walk;

use std::time::Instant;

use rustler::{Binary, Encoder, Env, Term};

use crate::{atoms, bytes};
use walk::{Sink, Stop};

/// How deep lists and maps may be nested: as deep as serde_json reads.
const DEPTH: usize = 127;

/// What writing may cost on a normal scheduler, in elements: some tenths of a millisecond.
const BUDGET: usize = 4 * 1024;

#[rustler::nif]
fn json_decode<'a>(env: Env<'a>, text: Binary<'a>) -> Term<'a> {
    charged(env, || answer(env, json::decode(env, text.as_slice())))
}

#[rustler::nif(schedule = "DirtyCpu")]
fn json_decode_dirty<'a>(env: Env<'a>, text: Binary<'a>) -> Term<'a> {
    answer(env, json::decode(env, text.as_slice()))
}

#[rustler::nif]
fn json_encode<'a>(env: Env<'a>, term: Term<'a>) -> Term<'a> {
    charged(env, || encode(env, json::Json::default(), term, BUDGET))
}

#[rustler::nif(schedule = "DirtyCpu")]
fn json_encode_dirty<'a>(env: Env<'a>, term: Term<'a>) -> Term<'a> {
    encode(env, json::Json::default(), term, usize::MAX)
}

#[rustler::nif]
fn msgpack_decode<'a>(env: Env<'a>, bytes: Binary<'a>) -> Term<'a> {
    charged(env, || answer(env, msgpack::decode(env, bytes.as_slice())))
}

#[rustler::nif(schedule = "DirtyCpu")]
fn msgpack_decode_dirty<'a>(env: Env<'a>, bytes: Binary<'a>) -> Term<'a> {
    answer(env, msgpack::decode(env, bytes.as_slice()))
}

#[rustler::nif]
fn msgpack_encode<'a>(env: Env<'a>, term: Term<'a>) -> Term<'a> {
    charged(env, || {
        encode(env, msgpack::MessagePack::default(), term, BUDGET)
    })
}

#[rustler::nif(schedule = "DirtyCpu")]
fn msgpack_encode_dirty<'a>(env: Env<'a>, term: Term<'a>) -> Term<'a> {
    encode(env, msgpack::MessagePack::default(), term, usize::MAX)
}

fn encode<'a>(env: Env<'a>, sink: impl Sink, term: Term<'a>, budget: usize) -> Term<'a> {
    match walk::write(sink, term, budget) {
        Ok(written) => (atoms::ok(), bytes::give(env, written)).encode(env),
        Err(Stop::Large) => atoms::large().encode(env),
        Err(Stop::Fault(fault)) => {
            (atoms::error(), (fault.problem, fault.term, fault.path)).encode(env)
        }
    }
}

fn answer<'a>(env: Env<'a>, read: Result<Term<'a>, String>) -> Term<'a> {
    match read {
        Ok(term) => (atoms::ok(), term).encode(env),
        Err(message) => (atoms::error(), message).encode(env),
    }
}

/// Lets the normal scheduler count the work as what it was.
pub fn charged<'a>(env: Env<'a>, work: impl FnOnce() -> Term<'a>) -> Term<'a> {
    let begun = Instant::now();
    let result = work();
    let percent = begun.elapsed().as_micros() / 10;
    if percent > 0 {
        rustler::schedule::consume_timeslice(env, percent.min(100) as i32);
    }
    result
}
