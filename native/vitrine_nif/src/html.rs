//! Converts the HTML of plugins to safe text, or to parts for LiveView.
//!
//! Work begins on a normal scheduler if it may be done there at once, and continues on dirty ones. A document that takes long
//! is left between two of its steps, and another call continues it. So no scheduler is held for long, and a process that is
//! killed meanwhile leaves no work behind. `vitrine_html` recurses no deeper than a document may be nested, which any
//! scheduler's stack can hold.
//!
//! The functions answer `{:ok, html}` or `{:ok, {part, shapes}}`, `{:error, message}`, or `{:more, document}`. A part is
//! `{fingerprint, dynamics}`, and each dynamic is a binary, a part, or `{items, keys | nil, roots}`. The shapes are a map from
//! fingerprints to statics. They are apart because many parts have the same shape, and copied terms share nothing.

use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustler::{Binary, Encoder, Env, NifMap, Resource, ResourceArc, Term};
use vitrine_html::{Document, Dynamic, Error, Part, Policy, Shape};

use crate::{atoms, bytes, scheduler};

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
    own_hosts: Vec<String>,
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
            own_hosts: term.own_hosts,
            properties: term.properties,
            contained: term.contained,
            max_bytes: term.max_bytes,
            max_depth: term.max_depth,
        }
    }
}

/// The reason why the policy cannot be allowed, or `nil`.
#[rustler::nif]
fn html_fault(policy: PolicyTerm) -> Option<String> {
    vitrine_html::check(&policy.into()).err()
}

/// How long a dirty scheduler continues with the steps of a document.
const SLICE: Duration = Duration::from_millis(5);

/// The result that is wanted of a document.
#[derive(Clone, Copy)]
enum Wanted {
    Text,
    Parts,
}

/// A document that is not finished.
struct DocumentResource(Mutex<Document>, Wanted);

#[rustler::resource_impl]
impl Resource for DocumentResource {}

#[rustler::nif]
fn html_sanitize<'a>(env: Env<'a>, html: Binary<'a>, policy: PolicyTerm) -> Term<'a> {
    scheduler::charged(env, || begin(env, html, policy, Wanted::Text, at_once))
}

#[rustler::nif(schedule = "DirtyCpu")]
fn html_sanitize_dirty<'a>(env: Env<'a>, html: Binary<'a>, policy: PolicyTerm) -> Term<'a> {
    begin(env, html, policy, Wanted::Text, for_a_slice)
}

#[rustler::nif]
fn html_parse<'a>(env: Env<'a>, html: Binary<'a>, policy: PolicyTerm) -> Term<'a> {
    scheduler::charged(env, || begin(env, html, policy, Wanted::Parts, at_once))
}

#[rustler::nif(schedule = "DirtyCpu")]
fn html_parse_dirty<'a>(env: Env<'a>, html: Binary<'a>, policy: PolicyTerm) -> Term<'a> {
    begin(env, html, policy, Wanted::Parts, for_a_slice)
}

#[rustler::nif(schedule = "DirtyCpu")]
fn html_resume_dirty(env: Env<'_>, unfinished: ResourceArc<DocumentResource>) -> Term<'_> {
    let mut document = unfinished.0.lock();
    let result = for_a_slice(&mut document).and_then(|done| match done {
        true => finish(env, &document, unfinished.1),
        false => Ok((atoms::more(), &unfinished).encode(env)),
    });
    answer(env, result)
}

fn begin<'a>(
    env: Env<'a>,
    html: Binary<'a>,
    policy: PolicyTerm,
    wanted: Wanted,
    work: impl FnOnce(&mut Document) -> Result<bool, Error>,
) -> Term<'a> {
    let text = String::from_utf8_lossy(html.as_slice());
    let result = Document::new(text, policy.into()).and_then(|mut document| {
        if work(&mut document)? {
            return finish(env, &document, wanted);
        }
        let unfinished = ResourceArc::new(DocumentResource(Mutex::new(document), wanted));
        Ok((atoms::more(), unfinished).encode(env))
    });
    answer(env, result)
}

/// Does work of some tenths of a millisecond: the scan, and all other steps of a small document. True if the document is
/// clean then.
fn at_once(document: &mut Document) -> Result<bool, Error> {
    document.step()?;
    while !document.is_clean() && document.is_nearly_clean() {
        document.step()?;
    }
    Ok(document.is_clean())
}

/// Does steps while the slice lasts. True if the document is clean and time is left to finish it.
fn for_a_slice(document: &mut Document) -> Result<bool, Error> {
    let begun = Instant::now();
    while begun.elapsed() < SLICE {
        if document.is_clean() {
            return Ok(true);
        }
        document.step()?;
    }
    Ok(false)
}

fn finish<'a>(env: Env<'a>, document: &Document, wanted: Wanted) -> Result<Term<'a>, Error> {
    let result = match wanted {
        Wanted::Text => bytes::give(env, document.to_html()?.into_bytes()),
        Wanted::Parts => document.with_parts(|part| Parts::new(env).document(part))?,
    };
    Ok((atoms::ok(), result).encode(env))
}

fn answer<'a>(env: Env<'a>, result: Result<Term<'a>, Error>) -> Term<'a> {
    result.unwrap_or_else(|e| (atoms::error(), e.to_string()).encode(env))
}

/// Encodes parts and their shapes.
struct Parts<'a> {
    env: Env<'a>,
    /// The fingerprint and the statics of each shape, by its address.
    shapes: HashMap<*const Shape, (Term<'a>, Term<'a>)>,
}

impl<'a> Parts<'a> {
    fn new(env: Env<'a>) -> Self {
        Parts {
            env,
            shapes: HashMap::new(),
        }
    }

    fn document(mut self, part: &Part<'_>) -> Term<'a> {
        let root = self.part(part);
        let shapes = self.shapes.into_values();
        // No two shapes have the same fingerprint.
        let shapes = shapes.fold(Term::map_new(self.env), |map, (fingerprint, statics)| {
            map.map_put(fingerprint, statics).unwrap_or(map)
        });
        (root, shapes).encode(self.env)
    }

    fn part(&mut self, part: &Part<'_>) -> Term<'a> {
        let env = self.env;
        let shape = &part.shape;
        let (fingerprint, _) = *self.shapes.entry(Rc::as_ptr(shape)).or_insert_with(|| {
            let statics: Vec<_> = shape.statics.iter().map(|s| text(env, s)).collect();
            (bytes::copy(env, &shape.fingerprint), statics.encode(env))
        });
        let dynamics: Vec<_> = part.dynamics.iter().map(|d| self.dynamic(d)).collect();
        (fingerprint, dynamics).encode(env)
    }

    fn dynamic(&mut self, dynamic: &Dynamic<'_>) -> Term<'a> {
        match dynamic {
            Dynamic::Text(value) => text(self.env, value),
            Dynamic::Part(part) => self.part(part),
            Dynamic::List(list) => {
                let items: Vec<_> = list.items.iter().map(|item| self.dynamic(item)).collect();
                (items, &list.keys, list.roots).encode(self.env)
            }
        }
    }
}

fn text<'a>(env: Env<'a>, text: &str) -> Term<'a> {
    bytes::copy(env, text.as_bytes())
}
