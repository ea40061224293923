//! Reads terms from JSON and MessagePack, and writes terms as these.
//!
//! Each NIF exists twice, for normal and for dirty schedulers. On a normal scheduler only short texts are read, and writing
//! answers `:large` after a budget of work, because the size of a term is not known in advance. Both recurse no deeper than
//! [`DEPTH`], which any scheduler's stack can hold.
//!
//! Reading answers `{:ok, term}` or `{:error, message}`. Writing answers `{:ok, binary}`, `:large` or
//! `{:error, {problem, term, path}}`, where the path consists of indices of lists and `{key}` of maps.

mod build;
mod json;
mod msgpack;
mod walk;

use rustler::{Binary, Encoder, Env, Term};

use crate::scheduler::charged;
use crate::{atoms, bytes};
use walk::{Sink, Stop};

/// How deeply lists and maps may be nested: as deeply as serde_json reads.
const DEPTH: usize = 127;

/// The budget of writing on a normal scheduler, in elements. It takes some tenths of a millisecond.
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
