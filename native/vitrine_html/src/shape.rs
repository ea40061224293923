//! Separates the parts of a document that stay the same from those that change, as Phoenix LiveView needs it.
//!
//! A [`Part`] is text with gaps. The text consists of tags, the names of attributes, and the values of attributes that
//! say what an element is ([`FIXED`]). The gaps contain other values, texts, other parts, and lists of them. An
//! element among siblings is a part of its own, so that it can change its shape without the others. An element that is
//! alone belongs to the part of its parent. While the fingerprint of a part stays, only the contents of its gaps
//! change.
//!
//! A browser makes text of the whole document for each change, and compares elements with those that there
//! are. It leaves out an element that is a root and has nothing new in it, but to find and to write a root takes it
//! about as long as to compare two or three small elements. So elements are roots in pieces: where the piece around
//! them has more than [`PIECE`] elements.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use sha2::{Digest, Sha256};

use super::read::{Element, Node};
use super::{is_event, write};

/// Text with gaps, and the contents of the gaps.
#[derive(Debug, Clone, PartialEq)]
pub struct Part<'t> {
    /// The text, which parts of a document share.
    pub shape: Rc<Shape>,
    /// The contents of the gaps.
    pub dynamics: Vec<Dynamic<'t>>,
}

/// Text with gaps: one more piece of text than there are gaps.
#[derive(Debug, PartialEq)]
pub struct Shape {
    /// The text between the gaps.
    pub statics: Vec<String>,
    /// The sha256 of the text. Two different shapes never have the same fingerprint: the client would put the values of
    /// one into the gaps of the other.
    pub fingerprint: [u8; 32],
}

/// The contents of a gap.
#[derive(Debug, Clone, PartialEq)]
pub enum Dynamic<'t> {
    /// A text or the value of an attribute, escaped.
    Text(&'t str),
    /// A part.
    Part(Part<'t>),
    /// Siblings.
    List(List<'t>),
}

/// Siblings.
#[derive(Debug, Clone, PartialEq)]
pub struct List<'t> {
    /// Texts and parts.
    pub items: Vec<Dynamic<'t>>,
    /// The keys of the siblings, if there are many siblings.
    pub keys: Option<Vec<String>>,
    /// Whether each part is a root. A browser leaves a root alone if nothing in it is new.
    pub roots: bool,
}

/// The fewest siblings that have keys. By its key a sibling is found again when others come or go before it.
const KEYED: usize = 16;

/// The most elements that a browser compares sooner than it finds out that it need not compare them.
const PIECE: usize = 32;

/// Attributes that say what an element is rather than how it looks or behaves. They seldom change while it is there.
const FIXED: &[&str] = &["phx-target", "role", "type"];

fn is_fixed(attribute: &str) -> bool {
    FIXED.contains(&attribute) || is_event(attribute)
}

/// The mark of a gap in a text that is written. No document has this character.
const GAP: char = '\0';

/// The whole document.
pub fn document<'t>(nodes: &[Node<'t>]) -> Part<'t> {
    let mut writer = Writer {
        text: String::new(),
        shapes: HashMap::new(),
        last: None,
        piece: elements(nodes),
    };
    writer.part(|writer, dynamics| writer.children(nodes, dynamics))
}

/// The number of elements among these nodes and in them.
fn elements(nodes: &[Node<'_>]) -> usize {
    let count = |node: &Node<'_>| match node {
        Node::Text(_) => 0,
        Node::Element(element) => 1 + elements(&element.children),
    };
    nodes.iter().map(count).sum()
}

struct Writer {
    /// The text of the part that is written, behind those of the parts around it.
    text: String,
    /// The shapes so far, by their text: few, for many parts.
    shapes: HashMap<String, Rc<Shape>>,
    /// The last shape.
    last: Option<(String, Rc<Shape>)>,
    /// The number of elements of the innermost root, or of the document if there is no root.
    piece: usize,
}

impl Writer {
    fn part<'t>(&mut self, write: impl FnOnce(&mut Self, &mut Vec<Dynamic<'t>>)) -> Part<'t> {
        let start = self.text.len();
        let mut dynamics = Vec::new();
        write(self, &mut dynamics);
        let shape = self.shape(start);
        self.text.truncate(start);
        Part { shape, dynamics }
    }

    /// The shape of the text from there on.
    fn shape(&mut self, start: usize) -> Rc<Shape> {
        let text = &self.text[start..];
        // Siblings are often of one shape.
        if let Some((last, shape)) = &self.last
            && last == text
        {
            return Rc::clone(shape);
        }
        let shape = match self.shapes.get(text) {
            Some(shape) => Rc::clone(shape),
            None => {
                let shape = Rc::new(shape(text));
                self.shapes.insert(text.into(), Rc::clone(&shape));
                shape
            }
        };
        self.last = Some((text.into(), Rc::clone(&shape)));
        shape
    }

    fn gap<'t>(&mut self, dynamics: &mut Vec<Dynamic<'t>>, dynamic: Dynamic<'t>) {
        self.text.push(GAP);
        dynamics.push(dynamic);
    }

    fn element<'t>(&mut self, element: &Element<'t>, dynamics: &mut Vec<Dynamic<'t>>) {
        write::start_tag(&mut self.text, element, |text, name, value| {
            if is_fixed(name) {
                text.push_str(value);
            } else {
                text.push(GAP);
                dynamics.push(Dynamic::Text(value));
            }
        });
        if !element.is_void() {
            self.children(&element.children, dynamics);
        }
        write::end_tag(&mut self.text, element);
    }

    fn children<'t>(&mut self, nodes: &[Node<'t>], dynamics: &mut Vec<Dynamic<'t>>) {
        let elements = nodes.iter().filter(|node| matches!(node, Node::Element(_)));
        match elements.count() {
            0 if nodes.is_empty() => self.gap(dynamics, Dynamic::Text("")),
            0 | 1 => nodes.iter().for_each(|node| match node {
                Node::Element(element) => self.element(element, dynamics),
                Node::Text(text) if is_blank(text) && nodes.len() > 1 => self.text.push_str(text),
                Node::Text(text) => self.gap(dynamics, Dynamic::Text(text)),
            }),
            _ => {
                let list = self.list(nodes);
                self.gap(dynamics, Dynamic::List(list));
            }
        }
    }

    fn list<'t>(&mut self, nodes: &[Node<'t>]) -> List<'t> {
        let piece = self.piece;
        let roots = piece > PIECE;
        let mut items = Vec::with_capacity(nodes.len());
        let mut blank = "";
        for node in nodes {
            match node {
                // Space before an element belongs to it.
                Node::Text(text) if is_blank(text) => blank = text,
                Node::Text(text) => items.push(Dynamic::Text(text)),
                Node::Element(element) => {
                    let blank = std::mem::take(&mut blank);
                    if roots {
                        self.piece = 1 + elements(&element.children);
                    }
                    items.push(Dynamic::Part(self.part(|writer, dynamics| {
                        writer.text.push_str(blank);
                        writer.element(element, dynamics);
                    })));
                }
            }
        }
        if !blank.is_empty() {
            items.push(Dynamic::Text(blank));
        }
        self.piece = piece;
        let keys = (items.len() >= KEYED).then(|| keys(nodes, items.len()));
        List { items, keys, roots }
    }
}

fn shape(text: &str) -> Shape {
    let statics: Vec<String> = text.split(GAP).map(String::from).collect();
    let mut hash = Sha256::new();
    for text in &statics {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    }
    Shape {
        statics,
        fingerprint: hash.finalize().into(),
    }
}

fn is_blank(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_whitespace())
}

/// The keys of so many siblings. The key of an element is its id. Without an id, elements with the same name and the
/// same place among the elements of that name count as the same.
fn keys(nodes: &[Node<'_>], items: usize) -> Vec<String> {
    let mut keys = Vec::with_capacity(items);
    let mut ids = HashSet::new();
    let mut counts: HashMap<&str, usize> = HashMap::new();
    let mut numbered = |name| {
        let count = counts.entry(name).or_default();
        *count += 1;
        format!("{name} {count}")
    };
    for node in nodes {
        match node {
            Node::Text(text) if is_blank(text) => {}
            Node::Text(_) => keys.push(numbered("")),
            Node::Element(element) => keys.push(match element.attribute("id") {
                Some(id) if ids.insert(id) => format!("#{id}"),
                _ => numbered(element.name),
            }),
        }
    }
    // The last item is space behind the last element.
    if keys.len() < items {
        keys.push(numbered(""));
    }
    keys
}
