//! Parses TOML on a worker, because the parser's recursion could overflow a scheduler's stack.
//!
//! A worker cannot make a map of many keys (see `reply.rs`), so a table is sent as `{pairs}`, and Elixir makes the map.

use std::panic::catch_unwind;

use rustler::{Atom, Binary, Encoder, Env, Term};
use toml::{Table, Value};

use crate::reply::Asker;
use crate::{atoms, value};

/// Answers `{:vitrine_reply, id, {:ok, table} | {:error, message}}`, where a table is `{[{key, value}]}`.
/// Keys stay strings, dates become strings.
#[rustler::nif(schedule = "DirtyCpu")]
fn decode_toml(env: Env<'_>, text: Binary, id: Term) -> Atom {
    let (asker, text) = (Asker::new(env, id), text.as_slice().to_vec());
    vitrine_core::submit(move || {
        // The process waits for an answer, even if the parser panics.
        let parsed =
            catch_unwind(|| parse(&text)).unwrap_or_else(|_| Err("the parser gave up".to_string()));
        asker.answer(|env| match parsed {
            Ok(table) => (atoms::ok(), encode_table(env, &table)).encode(env),
            Err(message) => (atoms::error(), message).encode(env),
        });
    });
    atoms::ok()
}

fn parse(text: &[u8]) -> Result<Table, String> {
    let text = std::str::from_utf8(text).map_err(|e| e.to_string())?;
    text.parse().map_err(|e: toml::de::Error| match e.span() {
        Some(span) => format!("{} at {}", e.message(), place(text, span.start)),
        None => e.message().to_string(),
    })
}

/// The place of a byte, counted from 1 as people count.
fn place(text: &str, offset: usize) -> String {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    format!("line {line} column {column}")
}

fn encode<'a>(env: Env<'a>, value: &Value) -> Term<'a> {
    match value {
        Value::String(v) => v.encode(env),
        Value::Integer(v) => v.encode(env),
        Value::Float(v) => value::encode_float(env, *v),
        Value::Boolean(v) => v.encode(env),
        Value::Datetime(v) => v.to_string().encode(env),
        Value::Array(v) => {
            let items: Vec<_> = v.iter().map(|v| encode(env, v)).collect();
            items.encode(env)
        }
        Value::Table(v) => encode_table(env, v),
    }
}

/// A table is a tuple, which no other value is.
fn encode_table<'a>(env: Env<'a>, table: &Table) -> Term<'a> {
    let pairs: Vec<_> = table
        .iter()
        .map(|(k, v)| (k.encode(env), encode(env, v)))
        .collect();
    (pairs,).encode(env)
}
