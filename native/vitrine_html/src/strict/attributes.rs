//! Reads, filters and writes the attributes of strict documents.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::characters;
use super::elements::Rule;
use crate::EVENTS;
use crate::attributes::{Attributes, Kind, kind};
use crate::policy::{ATTRIBUTES, GENERIC, PREFIXES, PRESENTATION, Policy};
use crate::read::split_once;

/// The most attributes of an element. No plugin writes an element with more.
const MOST: usize = 64;

/// The attributes that may stay, and with which values.
pub struct Allowed {
    /// The attributes of all elements.
    generic: HashSet<String>,
    /// The attributes that the host adds, with their elements.
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

    /// The fate of an attribute. `None` if the scan cannot tell.
    fn fate(&self, rule: &Rule, name: &str) -> Option<Fate> {
        if self.has(rule, name) {
            return Some(match kind(rule.name, name) {
                Kind::Anything => Fate::Stays,
                _ => Fate::Filtered,
            });
        }
        // With other capitals the attribute could be one that stays.
        let capitals = name.bytes().any(|byte| byte.is_ascii_uppercase());
        let certain = !capitals && !rule.is_drawing() || name == "xmlns";
        certain.then_some(Fate::Goes)
    }

    /// The value that the scan writes for a value as it is written. `None` if the scan cannot tell.
    fn value(&self, rule: &Rule, name: &str, written: &str) -> Option<Kept> {
        let value = characters::decode(written)?;
        let Some(value) = self.filter.filter(rule.name, name, &value) else {
            return Some(None);
        };
        // The value must stay the same when the document is read again.
        let again = self.filter.filter(rule.name, name, &value);
        if again.as_deref() != Some(&*value) {
            return None;
        }
        let mut escaped = String::with_capacity(value.len());
        characters::write_value(&mut escaped, &value);
        Some(Some(escaped.into()))
    }
}

/// The fate of an attribute.
#[derive(Clone, Copy)]
enum Fate {
    Goes,
    /// The attribute stays with any value.
    Stays,
    /// The value decides whether the attribute stays, and with which value.
    Filtered,
}

/// The value that is written in the end, if the attribute stays.
type Kept = Option<Rc<str>>;

/// An element, an attribute and its value as they are written.
type Attribute<'t> = (&'static str, &'t str, &'t str);

/// The attributes of a document, in which many are the same.
pub struct Values<'t> {
    allowed: &'t Allowed,
    /// The fates of attributes, by element and name.
    fates: HashMap<(&'static str, &'t str), Fate>,
    known: HashMap<Attribute<'t>, Kept>,
    /// The attributes of the last element that had any. An element is often like the one before it.
    before: Vec<(Attribute<'t>, Fate, Kept)>,
    /// The attributes of this element.
    now: Vec<(Attribute<'t>, Fate, Kept)>,
}

impl<'t> Values<'t> {
    pub fn new(allowed: &'t Allowed) -> Self {
        Values {
            allowed,
            fates: HashMap::new(),
            known: HashMap::new(),
            before: Vec::new(),
            now: Vec::new(),
        }
    }

    /// Writes the attributes of an element that stay, and returns the text behind all of them.
    pub fn write(&mut self, out: &mut String, rule: &Rule, text: &'t str) -> Option<&'t str> {
        let mut rest = text;
        loop {
            let behind = characters::trim_start(rest);
            if behind.starts_with(['>', '/']) {
                break;
            }
            // Space stands before each attribute.
            if behind.len() == rest.len() || self.now.len() == MOST {
                return None;
            }
            let (name, value, behind) = attribute(behind)?;
            // A parser takes the first of two attributes with one name.
            if self.now.iter().any(|((_, seen, _), ..)| *seen == name) {
                return None;
            }
            self.write_one(out, (rule.name, name, value), rule)?;
            rest = behind;
        }
        if !self.now.is_empty() {
            std::mem::swap(&mut self.before, &mut self.now);
            self.now.clear();
        }
        Some(characters::trim_start(rest))
    }

    fn write_one(&mut self, out: &mut String, attribute: Attribute<'t>, rule: &Rule) -> Option<()> {
        let (element, name, value) = attribute;
        let like = self.before.get(self.now.len());
        let like = like.filter(|((own, before, _), ..)| (*own, *before) == (element, name));
        let (fate, kept) = match like {
            Some((before, fate, kept)) if *before == attribute => (*fate, kept.clone()),
            Some((_, fate, _)) => (*fate, self.kept(*fate, attribute, rule)?),
            None => {
                let fate = self.fate(attribute, rule)?;
                (fate, self.kept(fate, attribute, rule)?)
            }
        };
        if let Fate::Stays = fate {
            begin(out, name);
            characters::write_value(out, &characters::decode(value)?);
            out.push('"');
        } else if let Some(value) = &kept {
            begin(out, name);
            out.push_str(value);
            out.push('"');
        }
        self.now.push((attribute, fate, kept));
        Some(())
    }

    fn fate(&mut self, (element, name, _): Attribute<'t>, rule: &Rule) -> Option<Fate> {
        Some(match self.fates.entry((element, name)) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => *new.insert(self.allowed.fate(rule, name)?),
        })
    }

    /// The value of an attribute that is filtered.
    fn kept(&mut self, fate: Fate, attribute: Attribute<'t>, rule: &Rule) -> Option<Kept> {
        let (_, name, value) = attribute;
        match fate {
            Fate::Stays => Some(None),
            // A value that cannot be decoded is left to the parser, even if it is dropped.
            Fate::Goes => characters::decode(value).map(|_| None),
            Fate::Filtered => Some(match self.known.entry(attribute) {
                Entry::Occupied(known) => known.get().clone(),
                Entry::Vacant(new) => new.insert(self.allowed.value(rule, name, value)?).clone(),
            }),
        }
    }
}

fn begin(out: &mut String, name: &str) {
    out.push(' ');
    out.push_str(name);
    out.push_str("=\"");
}

/// The name and the value that a text begins with, and the text behind them.
fn attribute(text: &str) -> Option<(&str, &str, &str)> {
    let end = text
        .bytes()
        .position(|b| !b.is_ascii_alphanumeric() && b != b'-')?;
    let (name, behind) = text.split_at(end);
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        return None;
    }
    let Some(value) = behind.strip_prefix('=') else {
        return behind
            .starts_with([' ', '\n', '\t', '>', '/'])
            .then_some((name, "", behind));
    };
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let (value, behind) = split_once(&value[1..], quote as u8)?;
    Some((name, value, behind))
}
