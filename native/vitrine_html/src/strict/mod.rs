//! Cleans documents that are written so strictly that every parser makes the tree of them that their tags say.
//!
//! Most plugins write such documents: each tag is closed where it must be, each value is in quotes, and nothing stands
//! where a parser would put it elsewhere. Such a document needs no HTML parser, and its result need not be checked
//! again. One scan finds that a document is of that kind, and writes it with the attributes that may stay. The scan
//! refuses everything that is not certain, and leaves it to the parser.
//!
//! The scan adds only one thing: the body of a table of rows.
//!
//! The result must be exactly that of the sanitiser, however often the sanitiser is applied. Tests compare them.

mod attributes;
mod characters;
mod elements;

use self::attributes::Values;
use self::elements::{Content, Open, Rule, rule};
use super::limit::ELEMENTS;

pub use self::attributes::Allowed;

/// The cleaned document, if it is strict.
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
        implied: false,
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
    /// Whether the open table has a body that a parser adds. A table never contains another one here.
    implied: bool,
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
        let mut name = self.open.pop()?.name;
        if name == "tbody" && self.implied {
            self.implied = false;
            self.write_end(name);
            name = self.open.pop()?.name;
        }
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
        let end = tag.bytes().position(|b| !b.is_ascii_alphanumeric())?;
        let (name, behind) = tag.split_at(end);
        let rule = rule(name)?;
        if name == "tr" && self.open.innermost() == Some("table") {
            self.imply_body()?;
        }
        self.begin(rule)?;
        let behind = self.values.write(&mut self.cleaned, rule, behind)?;
        self.cleaned.push('>');
        self.rest = behind;
        self.open_element(rule)
    }

    /// A row that is in no body of its table gets one, until the table ends.
    fn imply_body(&mut self) -> Option<()> {
        let body = rule("tbody")?;
        self.begin(body)?;
        self.cleaned.push('>');
        self.open.push(body);
        self.implied = true;
        Some(())
    }

    /// Writes the beginning of a start tag, if the element may be here.
    fn begin(&mut self, rule: &Rule) -> Option<()> {
        self.elements += 1;
        if self.elements > ELEMENTS || !self.open.may_hold(rule) {
            return None;
        }
        self.cleaned.push('<');
        self.cleaned.push_str(rule.name);
        Some(())
    }

    /// Reads the end of a start tag.
    fn open_element(&mut self, rule: &'static Rule) -> Option<()> {
        let closed = self.rest.strip_prefix("/>");
        self.rest = closed.or_else(|| self.rest.strip_prefix('>'))?;
        match (rule.content, closed) {
            (Content::Void, _) => {}
            (Content::Drawing, Some(_)) => self.write_end(rule.name),
            // On other elements a parser ignores the slash, whatever its author meant by it.
            (_, Some(_)) => return None,
            (_, None) => self.open.push(rule),
        }
        // A parser skips a line feed here.
        if rule.name == "pre" {
            self.rest = self.rest.strip_prefix('\n').unwrap_or(self.rest);
        }
        Some(())
    }
}

#[cfg(test)]
mod tests;
