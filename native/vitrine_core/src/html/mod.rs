//! HTML of plugins, made safe to show in the pages of the host.
//!
//! [`sanitize`] makes a text of it, [`parse`] the parts that Phoenix LiveView wants. Neither trusts
//! anything in the document; [`Policy`] says what may stay.

mod attributes;
mod clean;
mod cleaners;
mod complete;
mod css;
mod limit;
mod policy;
mod read;
mod shape;
mod strict;
mod write;

use std::panic::{AssertUnwindSafe, catch_unwind};

pub use policy::Policy;
pub use shape::{Dynamic, Part};

use complete::Completion;

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

/// What [`is_small`] takes, in bytes.
const SMALL: usize = 1024;

/// Why a document cannot be made safe.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// More bytes than the policy allows.
    #[error("it is too long")]
    TooLong,
    /// More elements than any document needs, or markup that a parser makes so many of.
    #[error("it has too many elements")]
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
    with_nodes(html, policy, write::document)
}

/// The document as parts.
pub fn parse(html: &str, policy: &Policy) -> Result<Part, Error> {
    with_nodes(html, policy, shape::document)
}

fn with_nodes<R>(
    html: &str,
    policy: &Policy,
    make: impl FnOnce(&[read::Node<'_>]) -> R,
) -> Result<R, Error> {
    if html.len() > policy.max_bytes {
        return Err(Error::TooLong);
    }
    // Whoever wrote the document may know more faults of the parser than its authors.
    let clean = || cleaners::with(policy, |cleaner| cleaner.clean(html, policy));
    let text = catch_unwind(AssertUnwindSafe(clean)).unwrap_or(Err(Error::Failed))?;
    let completion = Completion {
        submit: attributes::event_prefix(&policy.namespace),
        target: policy.target.as_deref().map(complete::escape),
    };
    let mut nodes = read::nodes(&text, policy.max_depth)?;
    completion.complete(&mut nodes);
    Ok(make(&nodes))
}

/// Whether a document is so small that it is done in some tenths of a millisecond.
pub fn is_small(html: &str) -> bool {
    html.len() <= SMALL && limit::estimate(html) <= SMALL / 4
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
