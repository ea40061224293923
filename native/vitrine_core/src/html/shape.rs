//! What of a document is always the same, and what changes: as Phoenix LiveView wants it.
//!
//! A [`Part`] is text with gaps. The text is tags and the names of attributes; in the gaps are values,
//! texts, other parts, and lists of them. An element among siblings is a part of its own, so that it
//! can change its shape without the others; one that is alone belongs to the part of its parent.
//! What is in the gaps of a part is all that changes while its fingerprint stays.

use std::collections::{HashMap, HashSet};

use sha2::{Digest, Sha256};

use super::read::{Element, Node};
use super::write;

/// Text with gaps: one more piece of text than there are gaps.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// The text between the gaps.
    pub statics: Vec<String>,
    /// What is in the gaps.
    pub dynamics: Vec<Dynamic>,
    /// The sha256 of the text. Nobody can make two parts that differ and have the same: the client
    /// would put the values of one into the gaps of the other.
    pub fingerprint: [u8; 32],
}

/// What is in a gap.
#[derive(Debug, Clone, PartialEq)]
pub enum Dynamic {
    /// A text or the value of an attribute, escaped.
    Text(String),
    /// A part.
    Part(Part),
    /// Siblings, and for many their keys.
    List(Vec<Dynamic>, Option<Vec<String>>),
}

/// Siblings that are worth finding again by key when others come or go before them.
const KEYED: usize = 16;

/// The whole document.
pub fn document(nodes: &[Node<'_>]) -> Part {
    let mut writer = Writer::default();
    writer.children(nodes);
    writer.finish()
}

#[derive(Default)]
struct Writer {
    statics: Vec<String>,
    dynamics: Vec<Dynamic>,
    text: String,
}

impl Writer {
    fn gap(&mut self, dynamic: Dynamic) {
        self.statics.push(std::mem::take(&mut self.text));
        self.dynamics.push(dynamic);
    }

    fn finish(mut self) -> Part {
        self.statics.push(self.text);
        let mut hash = Sha256::new();
        for text in &self.statics {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        }
        Part {
            statics: self.statics,
            dynamics: self.dynamics,
            fingerprint: hash.finalize().into(),
        }
    }

    fn element(&mut self, element: &Element<'_>) {
        let mut text = std::mem::take(&mut self.text);
        write::start_tag(&mut text, element, |text, value| {
            self.statics.push(std::mem::take(text));
            self.dynamics.push(Dynamic::Text(value.to_string()));
        });
        self.text = text;
        if !element.is_void() {
            self.children(&element.children);
        }
        write::end_tag(&mut self.text, element);
    }

    fn children(&mut self, nodes: &[Node<'_>]) {
        let elements = nodes.iter().filter(|node| matches!(node, Node::Element(_)));
        match elements.count() {
            0 => self.gap(Dynamic::Text(nodes.iter().map(text_of).collect())),
            1 => nodes.iter().for_each(|node| match node {
                Node::Element(element) => self.element(element),
                Node::Text(text) if is_blank(text) => self.text.push_str(text),
                Node::Text(text) => self.gap(Dynamic::Text((*text).to_string())),
            }),
            _ => {
                let list = list(nodes);
                self.gap(list);
            }
        }
    }
}

fn text_of<'t>(node: &Node<'t>) -> &'t str {
    match node {
        Node::Text(text) => text,
        Node::Element(_) => "",
    }
}

fn is_blank(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_whitespace())
}

fn list(nodes: &[Node<'_>]) -> Dynamic {
    let mut items = Vec::new();
    let mut keys = Keys::default();
    let mut blank = "";
    for node in nodes {
        match node {
            // Space before an element belongs to it.
            Node::Text(text) if is_blank(text) => blank = text,
            Node::Text(text) => {
                keys.push("", None);
                items.push(Dynamic::Text((*text).to_string()));
            }
            Node::Element(element) => {
                keys.push(element.name, element.attribute("id"));
                let mut writer = Writer {
                    text: std::mem::take(&mut blank).into(),
                    ..Writer::default()
                };
                writer.element(element);
                items.push(Dynamic::Part(writer.finish()));
            }
        }
    }
    if !blank.is_empty() {
        keys.push("", None);
        items.push(Dynamic::Text(blank.to_string()));
    }
    let keys = (items.len() >= KEYED).then_some(keys.keys);
    Dynamic::List(items, keys)
}

/// Keys of siblings: what of the same name stands at the same place among its like is the same, if it
/// has no id that says so better.
#[derive(Default)]
struct Keys<'t> {
    keys: Vec<String>,
    ids: HashSet<&'t str>,
    counts: HashMap<&'t str, usize>,
}

impl<'t> Keys<'t> {
    fn push(&mut self, name: &'t str, id: Option<&'t str>) {
        let key = match id {
            Some(id) if self.ids.insert(id) => format!("#{id}"),
            _ => {
                let count = self.counts.entry(name).or_default();
                *count += 1;
                format!("{name} {count}")
            }
        };
        self.keys.push(key);
    }
}
