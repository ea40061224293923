//! Makes any text a document that has only allowed contents, and that every parser reads as the same tree.
//!
//! A sanitiser cleans a tree and writes it as text, and a browser makes a tree of the text. For some trees the
//! browser's tree is a different one, in which harmless content has become harmful (mutation XSS). So the text is read
//! and cleaned again until nothing changes: then the tree that was checked is the tree that is shown.
//!
//! A strict text needs none of that, whether it was written strictly or became strict: see [`super::strict`].

use std::collections::{HashMap, HashSet};

use ammonia::{Builder, UrlRelative};

use super::attributes::Attributes;
use super::policy::{ATTRIBUTES, DROPPED, GENERIC, PREFIXES, PRESENTATION, Policy, SVG_TAGS, TAGS};
use super::read;
use super::strict::{self, Allowed};
use super::{EVENTS, Error, write};

/// Schemes of links that hosts are likely to allow.
const COMMON_SCHEMES: &[&str] = &["https", "http", "mailto", "tel", "sms"];

/// The sanitiser for a policy, but for its limits.
pub struct Cleaner<'p> {
    builder: Builder<'p>,
    allowed: Allowed,
}

impl Cleaner<'static> {
    /// A sanitiser that outlives its policy, if the host adds only common schemes.
    pub fn owned(policy: &Policy) -> Option<Self> {
        let known = |scheme: &String| COMMON_SCHEMES.iter().find(|common| *common == scheme);
        let schemes: Option<Vec<_>> = policy.schemes.iter().map(|s| known(s).copied()).collect();
        let common = policy.tags.is_empty() && policy.attributes.is_empty();
        Some(Cleaner::build(policy, schemes.filter(|_| common)?))
    }
}

impl<'p> Cleaner<'p> {
    pub fn new(policy: &'p Policy) -> Self {
        let schemes = policy.schemes.iter().map(String::as_str).collect();
        let mut cleaner = Cleaner::build(policy, schemes);
        for tag in &policy.tags {
            cleaner.builder.add_tags([tag.as_str()]);
        }
        for (element, attribute) in &policy.attributes {
            if element == "*" {
                cleaner.builder.add_generic_attributes([attribute.as_str()]);
            } else {
                cleaner
                    .builder
                    .add_tag_attributes(element.as_str(), [attribute.as_str()]);
            }
        }
        cleaner
    }

    fn build(policy: &Policy, schemes: Vec<&'p str>) -> Self {
        let attributes = Attributes::new(policy);
        let events = EVENTS
            .iter()
            .filter(|(event, _)| policy.events.iter().any(|own| own == event));
        let events = events.map(|(_, attribute)| *attribute);
        let mut builder = Builder::empty();
        builder
            .tags(TAGS.iter().chain(SVG_TAGS).copied().collect())
            .clean_content_tags(DROPPED.iter().copied().collect())
            .generic_attributes(GENERIC.iter().copied().chain(events).collect())
            .generic_attribute_prefixes(PREFIXES.iter().copied().collect())
            .tag_attributes(tag_attributes())
            // The filter also decides on relative URLs. Images have https.
            .url_schemes(schemes.into_iter().chain(["https"]).collect())
            .url_relative(UrlRelative::PassThrough)
            .link_rel(None)
            .attribute_filter(move |element, name, value| attributes.filter(element, name, value));
        Cleaner {
            builder,
            allowed: Allowed::new(policy),
        }
    }

    /// The document with only its allowed contents, if it is strict.
    pub fn scan(&self, html: &str, limits: &Policy) -> Option<Result<String, Error>> {
        let cleaned = strict::clean(html, &self.allowed)?;
        Some(not_too_long(cleaned, limits))
    }

    /// Parses and sanitises a text.
    pub fn pass(&self, text: &str, limits: &Policy) -> Result<Pass, Error> {
        let cleaned = not_too_long(self.builder.clean(text).to_string(), limits)?;
        let shown = write::document(&read::nodes(&cleaned, limits.max_depth)?);
        Ok(if shown == text {
            Pass::Same(cleaned)
        } else {
            Pass::Changed(shown)
        })
    }
}

/// The result of parsing and cleaning a text.
pub enum Pass {
    /// The tree did not change. This is how the sanitiser writes it.
    Same(String),
    /// The tree is another one. This is how the sanitiser writes it.
    Changed(String),
}

/// Refuses a cleaned text that is too long. Prefixes and references make a text longer.
fn not_too_long(cleaned: String, limits: &Policy) -> Result<String, Error> {
    if cleaned.len() > limits.max_bytes.saturating_mul(4) {
        return Err(Error::TooLong);
    }
    Ok(cleaned)
}

fn tag_attributes<'p>() -> HashMap<&'p str, HashSet<&'p str>> {
    let mut attributes: HashMap<&str, HashSet<&str>> = HashMap::new();
    for (element, names) in ATTRIBUTES {
        attributes.entry(element).or_default().extend(*names);
    }
    for element in SVG_TAGS {
        attributes.entry(element).or_default().extend(PRESENTATION);
    }
    attributes
}
