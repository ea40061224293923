//! HTML of plugins as safe text, or as parts.
//!
//! Each NIF is there twice: on a normal scheduler it answers `:large` to what takes longer than it may.
//! The core recurses no deeper than a document may be nested, which any scheduler's stack can hold.
//!
//! They answer `{:ok, html}` or `{:ok, part}`, or `{:error, message}`. A part is `{fingerprint,
//! statics, dynamics}`; what is in a gap is a binary, a part, or `{items, keys | nil}`.

use std::collections::HashMap;

use rustler::{Binary, Encoder, Env, NifMap, Term};
use vitrine_core::html::{self, Dynamic, Part, Policy};

use crate::{atoms, bytes, codec};

#[derive(NifMap)]
pub struct PolicyTerm {
    namespace: String,
    events: Vec<String>,
    target: Option<String>,
    classes: Vec<String>,
    tags: Vec<String>,
    /// `{element, attribute}` each.
    attributes: Vec<(String, String)>,
    schemes: Vec<String>,
    images: Vec<String>,
    properties: Vec<String>,
    contained: bool,
    max_bytes: usize,
    max_depth: usize,
}

impl From<PolicyTerm> for Policy {
    fn from(term: PolicyTerm) -> Self {
        Policy {
            namespace: term.namespace,
            events: term.events,
            target: term.target,
            classes: term.classes,
            tags: term.tags,
            attributes: term.attributes,
            schemes: term.schemes,
            image_hosts: term.images,
            properties: term.properties,
            contained: term.contained,
            max_bytes: term.max_bytes,
            max_depth: term.max_depth,
        }
    }
}

/// Why nobody can allow this, or `nil`.
#[rustler::nif]
fn html_fault(policy: PolicyTerm) -> Option<String> {
    html::check(&policy.into()).err()
}

#[rustler::nif]
fn html_sanitize<'a>(env: Env<'a>, html: Binary<'a>, policy: PolicyTerm) -> Term<'a> {
    small(env, html, || sanitize(env, html, policy))
}

#[rustler::nif(schedule = "DirtyCpu")]
fn html_sanitize_dirty<'a>(env: Env<'a>, html: Binary<'a>, policy: PolicyTerm) -> Term<'a> {
    sanitize(env, html, policy)
}

#[rustler::nif]
fn html_parse<'a>(env: Env<'a>, html: Binary<'a>, policy: PolicyTerm) -> Term<'a> {
    small(env, html, || parse(env, html, policy))
}

#[rustler::nif(schedule = "DirtyCpu")]
fn html_parse_dirty<'a>(env: Env<'a>, html: Binary<'a>, policy: PolicyTerm) -> Term<'a> {
    parse(env, html, policy)
}

fn small<'a>(env: Env<'a>, html: Binary<'a>, work: impl FnOnce() -> Term<'a>) -> Term<'a> {
    match std::str::from_utf8(html.as_slice()) {
        Ok(text) if html::is_small(text) => codec::charged(env, work),
        _ => atoms::large().encode(env),
    }
}

fn sanitize<'a>(env: Env<'a>, html: Binary<'a>, policy: PolicyTerm) -> Term<'a> {
    let text = String::from_utf8_lossy(html.as_slice());
    match html::sanitize(&text, &policy.into()) {
        Ok(html) => (atoms::ok(), bytes::give(env, html.into_bytes())).encode(env),
        Err(e) => (atoms::error(), e.to_string()).encode(env),
    }
}

fn parse<'a>(env: Env<'a>, html: Binary<'a>, policy: PolicyTerm) -> Term<'a> {
    let text = String::from_utf8_lossy(html.as_slice());
    match html::parse(&text, &policy.into()) {
        Ok(part) => (atoms::ok(), Parts::new(env).part(&part)).encode(env),
        Err(e) => (atoms::error(), e.to_string()).encode(env),
    }
}

/// Makes terms of parts; those of the same shape share their text.
struct Parts<'a> {
    env: Env<'a>,
    shapes: HashMap<[u8; 32], (Term<'a>, Term<'a>)>,
}

impl<'a> Parts<'a> {
    fn new(env: Env<'a>) -> Self {
        Parts {
            env,
            shapes: HashMap::new(),
        }
    }

    fn part(&mut self, part: &Part) -> Term<'a> {
        let env = self.env;
        let (fingerprint, statics) = *self.shapes.entry(part.fingerprint).or_insert_with(|| {
            let statics: Vec<_> = part.statics.iter().map(|s| text(env, s)).collect();
            (bytes::copy(env, &part.fingerprint), statics.encode(env))
        });
        let dynamics: Vec<_> = part.dynamics.iter().map(|d| self.dynamic(d)).collect();
        (fingerprint, statics, dynamics).encode(env)
    }

    fn dynamic(&mut self, dynamic: &Dynamic) -> Term<'a> {
        match dynamic {
            Dynamic::Text(value) => text(self.env, value),
            Dynamic::Part(part) => self.part(part),
            Dynamic::List(items, keys) => {
                let items: Vec<_> = items.iter().map(|item| self.dynamic(item)).collect();
                (items, keys).encode(self.env)
            }
        }
    }
}

fn text<'a>(env: Env<'a>, text: &str) -> Term<'a> {
    bytes::copy(env, text.as_bytes())
}
