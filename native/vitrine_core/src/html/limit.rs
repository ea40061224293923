//! Whether a parser can take a text at all.
//!
//! What a text becomes can be much larger than the text: a parser opens each formatting element that
//! was not closed again in each paragraph behind it, and looks through all that is open at each tag.
//! So the text is parsed once into nothing, piece by piece, and what it would become is counted.

use std::borrow::Cow;
use std::cell::Cell;
use std::rc::Rc;

use html5ever::tendril::{StrTendril, TendrilSink};
use html5ever::tree_builder::{ElementFlags, NodeOrText, QuirksMode, TreeSink};
use html5ever::{Attribute, ParseOpts, QualName, local_name, ns, parse_fragment};

use super::Error;

/// Elements that a text may become.
pub const ELEMENTS: usize = 32 * 1024;

/// Elements that may be open at the same time, or wait to be opened again.
const OPEN: usize = 512;

/// Bytes between two looks at the counts.
const PIECE: usize = 1024;

/// Elements that a parser opens again where it closed them before their end tag.
const FORMATTING: &[&str] = &[
    "a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u",
];

/// Tags of a text whose parser may look through all that is open at each of them.
const FEW: usize = 4 * 1024;

/// About how many elements are made of a text at most, whatever its tags are: at each tag a parser may
/// open each formatting element again.
pub fn estimate(text: &str) -> usize {
    let (mut tags, mut formatting) = (0, 1);
    for tag in text.split('<').skip(1) {
        let end = tag.find(|c: char| !c.is_ascii_alphabetic());
        let name = &tag[..end.unwrap_or(tag.len())];
        tags += 1;
        formatting += usize::from(FORMATTING.iter().any(|own| own.eq_ignore_ascii_case(name)));
    }
    if tags > FEW {
        usize::MAX
    } else {
        tags * formatting
    }
}

/// Whether parsing the text takes bounded time and memory.
pub fn check(text: &str) -> Result<(), Error> {
    if estimate(text) <= ELEMENTS {
        return Ok(());
    }
    let counts = Rc::new(Counts::default());
    let context = QualName::new(None, ns!(html), local_name!("div"));
    let sink = Counter(Rc::clone(&counts));
    let mut parser = parse_fragment(sink, ParseOpts::default(), context, Vec::new(), false);
    let mut rest = text;
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at(rest.floor_char_boundary(PIECE.min(rest.len())));
        parser.process(StrTendril::from(piece));
        if counts.open.get() > OPEN {
            return Err(Error::TooDeep);
        }
        if counts.made.get() > ELEMENTS {
            return Err(Error::TooLarge);
        }
        rest = behind;
    }
    Ok(())
}

#[derive(Default)]
struct Counts {
    made: Cell<usize>,
    open: Cell<usize>,
}

/// An element that the parser still holds.
struct Held {
    name: QualName,
    counts: Rc<Counts>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.counts.open.set(self.counts.open.get() - 1);
    }
}

/// Makes nothing of a document.
struct Counter(Rc<Counts>);

impl Counter {
    fn element(&self, name: QualName) -> Rc<Held> {
        self.0.made.set(self.0.made.get() + 1);
        self.0.open.set(self.0.open.get() + 1);
        Rc::new(Held {
            name,
            counts: Rc::clone(&self.0),
        })
    }

    fn nameless(&self) -> Rc<Held> {
        self.element(QualName::new(None, ns!(), local_name!("")))
    }
}

impl TreeSink for Counter {
    type Handle = Rc<Held>;
    type Output = ();
    type ElemName<'a> = &'a QualName;

    fn finish(self) {}

    fn parse_error(&self, _message: Cow<'static, str>) {}

    fn get_document(&self) -> Rc<Held> {
        self.nameless()
    }

    fn elem_name<'a>(&'a self, target: &'a Rc<Held>) -> &'a QualName {
        &target.name
    }

    fn create_element(&self, name: QualName, _: Vec<Attribute>, _: ElementFlags) -> Rc<Held> {
        self.element(name)
    }

    fn create_comment(&self, _text: StrTendril) -> Rc<Held> {
        self.nameless()
    }

    fn create_pi(&self, _target: StrTendril, _data: StrTendril) -> Rc<Held> {
        self.nameless()
    }

    fn append(&self, _parent: &Rc<Held>, _child: NodeOrText<Rc<Held>>) {}

    fn append_based_on_parent_node(
        &self,
        _element: &Rc<Held>,
        _previous: &Rc<Held>,
        _child: NodeOrText<Rc<Held>>,
    ) {
    }

    fn append_doctype_to_document(&self, _: StrTendril, _: StrTendril, _: StrTendril) {}

    fn get_template_contents(&self, target: &Rc<Held>) -> Rc<Held> {
        Rc::clone(target)
    }

    fn same_node(&self, one: &Rc<Held>, other: &Rc<Held>) -> bool {
        Rc::ptr_eq(one, other)
    }

    fn set_quirks_mode(&self, _mode: QuirksMode) {}

    fn append_before_sibling(&self, _sibling: &Rc<Held>, _new: NodeOrText<Rc<Held>>) {}

    fn add_attrs_if_missing(&self, _target: &Rc<Held>, _attributes: Vec<Attribute>) {}

    fn remove_from_parent(&self, _target: &Rc<Held>) {}

    fn reparent_children(&self, _node: &Rc<Held>, _new_parent: &Rc<Held>) {}
}
