//! Documents that are written so strictly that every parser makes of them the tree that their tags say.
//!
//! Most plugins write such documents: each tag is closed where it must be, each value is in quotes, and nothing
//! stands where a parser would put it elsewhere. They need no parser of HTML, and no second look at what
//! became of them: one scan finds that a document is of that kind, and writes it with the attributes that may
//! stay. Whatever is not for sure, the scan refuses, and it is left to the parser.
//!
//! What is accepted here must become just what the sanitiser makes of it, once and again. Tests
//! compare them.

mod attributes;
mod characters;
mod elements;

use self::attributes::Values;
use self::elements::{Content, Open, Rule, rule};
use super::limit::ELEMENTS;

pub use self::attributes::Allowed;

/// Far fewer elements than the parser takes, so that it would take them.
const MOST: usize = ELEMENTS / 2;

/// The document with what may stay of it, if it is strict.
pub fn clean(html: &str, allowed: &Allowed) -> Option<String> {
    // A parser skips a byte order mark.
    if html.starts_with('\u{feff}') {
        return None;
    }
    let mut scan = Scan {
        rest: html,
        cleaned: String::with_capacity(html.len() + html.len() / 2),
        open: Open::default(),
        values: Values::new(allowed),
        elements: 0,
    };
    while !scan.rest.is_empty() {
        scan.piece()?;
    }
    scan.open.is_empty().then_some(scan.cleaned)
}

struct Scan<'t> {
    rest: &'t str,
    cleaned: String,
    open: Open,
    values: Values<'t>,
    elements: usize,
}

impl<'t> Scan<'t> {
    fn piece(&mut self) -> Option<()> {
        if let Some(tag) = self.rest.strip_prefix("</") {
            self.end_tag(tag)
        } else if let Some(tag) = self.rest.strip_prefix('<') {
            self.start_tag(tag)
        } else {
            self.text()
        }
    }

    fn text(&mut self) -> Option<()> {
        let end = self.rest.find('<').unwrap_or(self.rest.len());
        let (text, behind) = self.rest.split_at(end);
        let blank = || text.bytes().all(|b| matches!(b, b' ' | b'\n' | b'\t'));
        if self.open.content() == Content::Elements && !blank() {
            return None;
        }
        characters::write_text(&mut self.cleaned, &characters::decode(text)?);
        self.rest = behind;
        Some(())
    }

    fn end_tag(&mut self, tag: &'t str) -> Option<()> {
        let name = self.open.pop()?.name;
        self.rest = tag.strip_prefix(name)?.strip_prefix('>')?;
        self.write_end(name);
        Some(())
    }

    fn write_end(&mut self, name: &str) {
        self.cleaned.push_str("</");
        self.cleaned.push_str(name);
        self.cleaned.push('>');
    }

    fn start_tag(&mut self, tag: &'t str) -> Option<()> {
        self.elements += 1;
        let end = tag.find(|c: char| !c.is_ascii_alphanumeric())?;
        let (name, behind) = tag.split_at(end);
        let rule = rule(name).filter(|rule| self.open.may_hold(rule))?;
        if self.elements > MOST {
            return None;
        }
        self.cleaned.push('<');
        self.cleaned.push_str(rule.name);
        let behind = self.values.write(&mut self.cleaned, rule, behind)?;
        self.cleaned.push('>');
        self.rest = behind;
        self.open_element(rule)
    }

    /// Reads the end of a start tag.
    fn open_element(&mut self, rule: &'static Rule) -> Option<()> {
        let closed = self.rest.strip_prefix("/>");
        self.rest = closed.or_else(|| self.rest.strip_prefix('>'))?;
        match (rule.content, closed) {
            (Content::Void, _) => {}
            (Content::Drawing, Some(_)) => self.write_end(rule.name),
            // For other elements the slash says nothing, whatever it was to say.
            (_, Some(_)) => return None,
            (_, None) => self.open.push(rule),
        }
        // A parser skips it.
        if rule.name == "pre" {
            self.rest = self.rest.strip_prefix('\n').unwrap_or(self.rest);
        }
        Some(())
    }
}

#[cfg(test)]
mod tests;
