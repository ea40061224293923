//! HTML of plugins, made safe to show in the pages of the host.
//!
//! A [`Document`] becomes a text, or the [`Part`]s that Phoenix LiveView wants. Nothing in the document is
//! trusted: the [`Policy`] says what may stay.
//!
//! ```text
//! text -> Document -- strict -> one scan -------------------------------> clean -> text, or parts
//!                  \- other --> limit -> parse, sanitise and write it ---/
//!                                         again until nothing changes
//! ```
//!
//! Most documents are strict, and one scan cleans them ([`strict`]). A sanitiser parses and cleans the others
//! until nothing changes any more ([`clean`]), unless that would take too long ([`limit`]).

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod attribute_limit;
mod attributes;
mod clean;
mod cleaners;
mod complete;
mod css;
mod document;
mod limit;
mod policy;
mod read;
mod shape;
mod strict;
mod write;

pub use document::Document;
pub use policy::Policy;
pub use shape::{Dynamic, List, Part, Shape};

/// The events that a policy can keep, and their attributes.
pub const EVENTS: &[(&str, &str)] = &[
    ("blur", "phx-blur"),
    ("change", "phx-change"),
    ("click", "phx-click"),
    ("click-away", "phx-click-away"),
    ("focus", "phx-focus"),
    ("keydown", "phx-keydown"),
    ("keyup", "phx-keyup"),
    ("submit", "phx-submit"),
    ("window-blur", "phx-window-blur"),
    ("window-focus", "phx-window-focus"),
    ("window-keydown", "phx-window-keydown"),
    ("window-keyup", "phx-window-keyup"),
];

/// Whether an attribute belongs to an event.
fn is_event(attribute: &str) -> bool {
    let event = attribute.strip_prefix("phx-");
    event.is_some_and(|own| EVENTS.iter().any(|(event, _)| *event == own))
}

/// Why a document cannot be made safe.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The document has more bytes than the policy allows.
    #[error("it is too long")]
    TooLong,
    /// The document has more elements or attributes than any document needs, or markup that takes a parser as long.
    #[error(
        "it has too many elements, which is more than 32768, more than 256 attributes in a tag, or markup that takes a \
         parser as long"
    )]
    TooLarge,
    /// The document is nested deeper than the policy allows.
    #[error("it is nested too deep")]
    TooDeep,
    /// The document becomes another one each time it is parsed.
    #[error("parsers do not agree on what it is")]
    Unstable,
    /// The parser failed, which is a fault of the parser.
    #[error("the parser gave up")]
    Failed,
    /// The sanitiser did not write the document in the form that is read here.
    #[error("it cannot be read again")]
    Unreadable,
}

/// The document as safe HTML.
pub fn sanitize(html: &str, policy: &Policy) -> Result<String, Error> {
    clean_document(html, policy)?.to_html()
}

/// The value that `make` makes of the document's parts.
pub fn parse<R>(
    html: &str,
    policy: &Policy,
    make: impl FnOnce(&Part<'_>) -> R,
) -> Result<R, Error> {
    clean_document(html, policy)?.with_parts(make)
}

fn clean_document(html: &str, policy: &Policy) -> Result<Document, Error> {
    let mut document = Document::new(html, policy.clone())?;
    while !document.is_clean() {
        document.step()?;
    }
    Ok(document)
}

/// Checks that a policy allows no element or attribute that can never be allowed. Otherwise says which.
pub fn check(policy: &Policy) -> Result<(), String> {
    let name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_lowercase())
            && name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    for tag in &policy.tags {
        let listed =
            policy::DROPPED.contains(&tag.as_str()) || policy::FORBIDDEN.contains(&tag.as_str());
        if listed || !name(tag) {
            return Err(format!("the element {tag:?} cannot be allowed"));
        }
    }
    for (element, attribute) in &policy.attributes {
        if policy::DROPPED.contains(&element.as_str())
            || policy::is_reserved(attribute)
            || !name(attribute)
        {
            return Err(format!("the attribute {attribute:?} cannot be allowed"));
        }
    }
    Ok(())
}
