//! Reads text that the sanitiser has written: start tags with quoted attributes, end tags, and text in which `<` is
//! always escaped. This is not an HTML parser: anything that it does not expect is an error.

use super::Error;

#[derive(Debug, PartialEq)]
pub enum Node<'t> {
    /// Text as it is written, with its references.
    Text(&'t str),
    Element(Element<'t>),
}

#[derive(Debug, PartialEq)]
pub struct Element<'t> {
    pub name: &'t str,
    /// Names and values as they are written, ordered by their names.
    pub attributes: Vec<(&'t str, &'t str)>,
    pub children: Vec<Node<'t>>,
}

impl<'t> Element<'t> {
    /// Returns true if the element has no end tag.
    pub fn is_void(&self) -> bool {
        is_void(self.name)
    }

    /// Whether a parser skips a line feed behind its start tag.
    pub fn skips_line_feed(&self) -> bool {
        matches!(self.name, "pre" | "textarea")
    }

    pub fn attribute(&self, name: &str) -> Option<&'t str> {
        let found = self.attributes.iter().find(|(own, _)| *own == name);
        found.map(|(_, value)| *value)
    }
}

fn is_void(name: &str) -> bool {
    matches!(name, "br" | "col" | "hr" | "img" | "input" | "wbr")
}

/// The nodes of a text, none nested deeper than `max_depth`.
pub fn nodes(text: &str, max_depth: usize) -> Result<Vec<Node<'_>>, Error> {
    let mut open: Vec<Element<'_>> = Vec::new();
    let mut top = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        if let Some(tag) = rest.strip_prefix("</") {
            let (name, behind) = split_once(tag, b'>').ok_or(Error::Unreadable)?;
            let element = open.pop().filter(|element| element.name == name);
            push(
                &mut open,
                &mut top,
                Node::Element(element.ok_or(Error::Unreadable)?),
            );
            rest = behind;
        } else if let Some(tag) = rest.strip_prefix('<') {
            let (element, behind) = start_tag(tag)?;
            if open.len() >= max_depth {
                return Err(Error::TooDeep);
            }
            if element.is_void() {
                push(&mut open, &mut top, Node::Element(element));
            } else {
                open.push(element);
            }
            rest = behind;
        } else {
            let end = rest.bytes().position(|b| b == b'<').unwrap_or(rest.len());
            let (text, behind) = rest.split_at(end);
            push(&mut open, &mut top, Node::Text(text));
            rest = behind;
        }
    }
    if open.is_empty() {
        Ok(top)
    } else {
        Err(Error::Unreadable)
    }
}

fn push<'t>(open: &mut [Element<'t>], top: &mut Vec<Node<'t>>, node: Node<'t>) {
    match open.last_mut() {
        Some(parent) => parent.children.push(node),
        None => top.push(node),
    }
}

/// Reads a start tag from the text behind its `<`.
fn start_tag(text: &str) -> Result<(Element<'_>, &str), Error> {
    let end = text.bytes().position(|b| matches!(b, b' ' | b'>'));
    let end = end.ok_or(Error::Unreadable)?;
    let (name, mut rest) = text.split_at(end);
    if name.is_empty() || !name.bytes().all(is_name) {
        return Err(Error::Unreadable);
    }
    let mut attributes = Vec::new();
    while let Some(attribute) = rest.strip_prefix(' ') {
        let (name, value) = split_once(attribute, b'=').ok_or(Error::Unreadable)?;
        let value = value.strip_prefix('"').ok_or(Error::Unreadable)?;
        if name.is_empty() || !name.bytes().all(is_name) {
            return Err(Error::Unreadable);
        }
        let (value, behind) = split_once(value, b'"').ok_or(Error::Unreadable)?;
        attributes.push((name, value));
        rest = behind;
    }
    attributes.sort_unstable();
    let rest = rest.strip_prefix('>').ok_or(Error::Unreadable)?;
    let element = Element {
        name,
        attributes,
        children: Vec::new(),
    };
    Ok((element, rest))
}

/// The text before and after an ASCII character. Names and values are short, and for those a search that is made for
/// long texts takes longer.
pub fn split_once(text: &str, at: u8) -> Option<(&str, &str)> {
    let end = text.bytes().position(|b| b == at)?;
    Some((&text[..end], &text[end + 1..]))
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b':' | b'.')
}
