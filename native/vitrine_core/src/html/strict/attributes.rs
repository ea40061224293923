//! Attributes of strict documents.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use super::characters;
use super::elements::Rule;
use crate::html::EVENTS;
use crate::html::attributes::Attributes;
use crate::html::policy::{ATTRIBUTES, GENERIC, PREFIXES, PRESENTATION, Policy};

/// More attributes than this has no element that a plugin writes.
const MOST: usize = 64;

/// What attributes may stay, and with which values.
pub struct Allowed {
    /// Of all elements.
    generic: HashSet<String>,
    /// Of some, by the host's wish.
    added: HashSet<(String, String)>,
    filter: Attributes,
}

impl Allowed {
    pub fn new(policy: &Policy) -> Self {
        let events = EVENTS
            .iter()
            .filter(|(event, _)| policy.events.iter().any(|own| own == event));
        let mut generic: HashSet<String> = GENERIC.iter().map(|name| (*name).into()).collect();
        generic.extend(events.map(|(_, attribute)| (*attribute).into()));
        let (all, some): (Vec<_>, Vec<_>) = policy
            .attributes
            .iter()
            .cloned()
            .partition(|(element, _)| element == "*");
        generic.extend(all.into_iter().map(|(_, attribute)| attribute));
        Allowed {
            generic,
            added: some.into_iter().collect(),
            filter: Attributes::new(policy),
        }
    }

    fn has(&self, rule: &Rule, name: &str) -> bool {
        let of_element =
            |(element, names): &(&str, &[&str])| *element == rule.name && names.contains(&name);
        if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            // A parser gives only the names of drawings their capitals.
            return rule.is_drawing() && ATTRIBUTES.iter().any(of_element);
        }
        self.generic.contains(name)
            || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
            || ATTRIBUTES.iter().any(of_element)
            || rule.is_drawing() && PRESENTATION.contains(&name)
            || !self.added.is_empty() && self.added.contains(&(rule.name.into(), name.into()))
    }

    /// What becomes of a value as it is written; nothing if that cannot be said here.
    fn value(&self, rule: &Rule, name: &str, written: &str) -> Option<Kept> {
        let value = characters::decode(written)?;
        if !self.has(rule, name) {
            // With other capitals it could be one that stays.
            let capitals = name.bytes().any(|byte| byte.is_ascii_uppercase());
            let certain = !capitals && !rule.is_drawing() || name == "xmlns";
            return certain.then_some(None);
        }
        let Some(value) = self.filter.filter(rule.name, name, &value) else {
            return Some(None);
        };
        // It must be what it is when the document is read again.
        let again = self.filter.filter(rule.name, name, &value);
        if again.as_deref() != Some(&*value) {
            return None;
        }
        let mut escaped = String::with_capacity(value.len());
        characters::write_value(&mut escaped, &value);
        Some(Some(escaped))
    }
}

/// A value as it is written in the end, if the attribute stays.
type Kept = Option<String>;

/// An element, an attribute and its value as they are written.
type Attribute<'t> = (&'static str, &'t str, &'t str);

/// The values of a document, in which many are the same.
pub struct Values<'t> {
    allowed: &'t Allowed,
    known: HashMap<Attribute<'t>, Kept>,
}

impl<'t> Values<'t> {
    pub fn new(allowed: &'t Allowed) -> Self {
        Values {
            allowed,
            known: HashMap::new(),
        }
    }

    /// Writes the attributes of an element that stay, and gives what is behind all of them.
    pub fn write(&mut self, out: &mut String, rule: &Rule, text: &'t str) -> Option<&'t str> {
        let mut seen: Vec<&str> = Vec::new();
        let mut rest = text;
        loop {
            let behind = rest.trim_start_matches([' ', '\n', '\t']);
            if behind.starts_with(['>', '/']) {
                return Some(behind);
            }
            // Space is before each.
            if behind.len() == rest.len() || seen.len() == MOST {
                return None;
            }
            let (name, value, behind) = attribute(behind)?;
            // A parser takes the first of two.
            if seen.contains(&name) {
                return None;
            }
            seen.push(name);
            if let Some(value) = self.kept(rule, name, value)? {
                out.push(' ');
                out.push_str(name);
                out.push_str("=\"");
                out.push_str(value);
                out.push('"');
            }
            rest = behind;
        }
    }

    fn kept(&mut self, rule: &Rule, name: &'t str, value: &'t str) -> Option<Option<&str>> {
        let kept = match self.known.entry((rule.name, name, value)) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(self.allowed.value(rule, name, value)?),
        };
        Some(kept.as_deref())
    }
}

/// The name and the value that a text begins with, and what is behind them.
fn attribute(text: &str) -> Option<(&str, &str, &str)> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let end = text.find(|c: char| !plain(c))?;
    let (name, behind) = text.split_at(end);
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        return None;
    }
    let Some(value) = behind.strip_prefix('=') else {
        return behind
            .starts_with([' ', '\n', '\t', '>', '/'])
            .then_some((name, "", behind));
    };
    let (quote, value) = value
        .split_at_checked(1)
        .filter(|(quote, _)| matches!(*quote, "\"" | "'"))?;
    let (value, behind) = value.split_once(quote)?;
    Some((name, value, behind))
}
