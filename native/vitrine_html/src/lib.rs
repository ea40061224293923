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

/// Events that can be kept, and their attributes.
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

/// Whether an attribute is that of an event.
fn is_event(attribute: &str) -> bool {
    let event = attribute.strip_prefix("phx-");
    event.is_some_and(|own| EVENTS.iter().any(|(event, _)| *event == own))
}

/// Why a document cannot be made safe.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// More bytes than the policy allows.
    #[error("it is too long")]
    TooLong,
    /// More elements or attributes than any document needs, or markup that takes a parser as long.
    #[error(
        "it has too many elements, which is more than 32768, more than 256 attributes in a tag, or markup that takes a \
         parser as long"
    )]
    TooLarge,
    /// Deeper than the policy allows.
    #[error("it is nested too deep")]
    TooDeep,
    /// It becomes another document whenever it is parsed.
    #[error("parsers do not agree on what it is")]
    Unstable,
    /// The parser failed, which is a fault of its own.
    #[error("the parser gave up")]
    Failed,
    /// What was cleaned is not written as it must be.
    #[error("it cannot be read again")]
    Unreadable,
}

/// The document as safe HTML.
pub fn sanitize(html: &str, policy: &Policy) -> Result<String, Error> {
    clean_document(html, policy)?.to_html()
}

/// What `make` makes of the document as parts.
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

/// Why a policy cannot be followed: an element or attribute that nobody can allow.
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
