//! JSON text as terms, parsed on a worker: its recursion is no matter for a scheduler's stack.

use rustler::{Atom, Binary, Encoder, Env, Term};
use serde_json::Value;

use crate::{atoms, reply};

/// Answers `{:vitrine_reply, id, {:ok, term} | {:error, message}}`. Keys stay strings.
#[rustler::nif(schedule = "DirtyCpu")]
fn decode_json(env: Env<'_>, text: Binary, id: u64) -> Atom {
    let (to, text) = (env.pid(), text.as_slice().to_vec());
    vitrine_core::submit(move || {
        let parsed: Result<Value, _> = serde_json::from_slice(&text);
        reply::send(&to, id, |env| match &parsed {
            Ok(value) => (atoms::ok(), encode(env, value)).encode(env),
            Err(error) => (atoms::error(), error.to_string()).encode(env),
        });
    });
    atoms::ok()
}

fn encode<'a>(env: Env<'a>, value: &Value) -> Term<'a> {
    match value {
        Value::Null => atoms::nil().encode(env),
        Value::Bool(v) => v.encode(env),
        Value::Number(v) => match (v.as_i64(), v.as_u64()) {
            (Some(v), _) => v.encode(env),
            (_, Some(v)) => v.encode(env),
            _ => v.as_f64().encode(env),
        },
        Value::String(v) => v.encode(env),
        Value::Array(v) => v
            .iter()
            .map(|v| encode(env, v))
            .collect::<Vec<_>>()
            .encode(env),
        Value::Object(v) => {
            let pairs: Vec<_> = v
                .iter()
                .map(|(k, v)| (k.encode(env), encode(env, v)))
                .collect();
            // Keys of an object are distinct, so this cannot fail.
            Term::map_from_pairs(env, &pairs).unwrap_or_else(|_| Term::map_new(env))
        }
    }
}
