//! Checks that a text does not take a parser too long.
//!
//! A document can be much larger than its text: a parser opens each formatting element that was not closed again in
//! each paragraph after it, and looks through all open elements at each tag. So the text is first parsed piece by
//! piece without making a tree. The elements that it would have and the steps that it would take are counted. They are
//! not timed, so the same document is always accepted or always refused.

use std::borrow::Cow;
use std::cell::Cell;
use std::rc::Rc;

use html5ever::tendril::{StrTendril, TendrilSink};
use html5ever::tree_builder::{ElementFlags, NodeOrText, QuirksMode, TreeSink};
use html5ever::{Attribute, ParseOpts, QualName, local_name, ns, parse_fragment};

use super::{Error, attribute_limit};

/// The most elements that a text may become. Each element takes some hundred bytes.
pub const ELEMENTS: usize = 32 * 1024;

/// The most elements that may be open at the same time, or wait to be opened again.
const OPEN: usize = 512;

/// The number of bytes between two checks of the counts.
const PIECE: usize = 1024;

/// A text of so many bytes takes no parser long, unless it has many tags.
const SMALL: usize = 1024;

/// Elements that a parser opens again where it closed them before their end tag.
const FORMATTING: &[&str] = &[
    "a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u",
];

/// About how many elements are made of a text at most, whatever its tags are: at each tag a parser may
/// open each formatting element again.
fn estimate(text: &str) -> usize {
    let (mut tags, mut formatting) = (0, 1);
    for tag in text.split('<').skip(1) {
        let end = tag.find(|c: char| !c.is_ascii_alphabetic());
        let name = &tag[..end.unwrap_or(tag.len())];
        tags += 1;
        formatting += usize::from(FORMATTING.iter().any(|own| own.eq_ignore_ascii_case(name)));
    }
    tags * formatting
}

/// Whether a parser reads a text in some tenths of a millisecond.
pub fn is_small(text: &str) -> bool {
    text.len() <= SMALL && estimate(text) <= SMALL / 4
}

/// The steps of about 5 ns that all passes over a document may take. Text that people write takes 30 for a byte and a
/// pass.
pub struct Budget {
    left: usize,
    pass: usize,
}

impl Budget {
    /// The budget for a document of so many bytes.
    pub fn new(bytes: usize) -> Self {
        let pass = bytes.saturating_mul(48).saturating_add(4_000_000);
        Budget {
            left: pass.saturating_mul(2),
            pass,
        }
    }

    /// Spends the steps that parsing the text takes. Returns an error unless parsing takes bounded time and memory.
    pub fn spend(&mut self, text: &str) -> Result<(), Error> {
        if is_small(text) {
            return Ok(());
        }
        if attribute_limit::is_exceeded(text) {
            return Err(Error::TooLarge);
        }
        self.left -= count(text, self.left.min(self.pass))?;
        Ok(())
    }
}

/// The steps that parsing takes, if they are no more than `most`.
fn count(text: &str, most: usize) -> Result<usize, Error> {
    let counts = Rc::new(Counts::default());
    let context = QualName::new(None, ns!(html), local_name!("div"));
    let sink = Counter(Rc::clone(&counts));
    let mut parser = parse_fragment(sink, ParseOpts::default(), context, Vec::new(), false);
    let within = || {
        if counts.open.get() > OPEN {
            Err(Error::TooDeep)
        } else if counts.made.get() > ELEMENTS || counts.steps.get() > most {
            Err(Error::TooLarge)
        } else {
            Ok(counts.steps.get())
        }
    };
    let mut rest = text;
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at(rest.floor_char_boundary(PIECE.min(rest.len())));
        parser.process(StrTendril::from(piece));
        within()?;
        rest = behind;
    }
    // A parser holds text in tables back until it has read what follows.
    parser.finish();
    within()
}

// The costs of single operations, in steps. They are the costs in a parser that makes a tree, which are higher than
// the costs here.
/// The cost of looking at an open element.
const LOOK: usize = 2;
/// The cost of comparing a formatting element with an open one.
const COMPARISON: usize = 40;
const ELEMENT: usize = 400;
const ATTRIBUTE: usize = 100;
const TEXT: usize = 150;
const FAULT: usize = 250;

#[derive(Default)]
struct Counts {
    made: Cell<usize>,
    open: Cell<usize>,
    steps: Cell<usize>,
}

impl Counts {
    fn spend(&self, steps: usize) {
        self.steps.set(self.steps.get().saturating_add(steps));
    }

    /// Counts the search for a node's place among its siblings. Moving or removing a node takes such a search.
    fn search(&self) {
        self.spend(TEXT + self.made.get() / 4);
    }
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

/// A sink that makes no tree.
struct Counter(Rc<Counts>);

impl Counter {
    fn element(&self, name: QualName) -> Rc<Held> {
        self.0.made.set(self.0.made.get() + 1);
        self.0.open.set(self.0.open.get() + 1);
        self.0.spend(ELEMENT);
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

    fn parse_error(&self, _message: Cow<'static, str>) {
        self.0.spend(FAULT);
    }

    fn get_document(&self) -> Rc<Held> {
        self.nameless()
    }

    fn elem_name<'a>(&'a self, target: &'a Rc<Held>) -> &'a QualName {
        self.0.spend(LOOK);
        &target.name
    }

    fn create_element(
        &self,
        name: QualName,
        attributes: Vec<Attribute>,
        _: ElementFlags,
    ) -> Rc<Held> {
        // The parser compared each attribute with the attributes before it.
        let attributes = attributes.len();
        self.0.spend(attributes * (ATTRIBUTE + attributes / 2));
        // The parser also compares the element with the elements that could be opened again.
        if FORMATTING.contains(&&*name.local) {
            self.0.spend(self.0.open.get() * COMPARISON);
        }
        self.element(name)
    }

    fn create_comment(&self, _text: StrTendril) -> Rc<Held> {
        self.nameless()
    }

    fn create_pi(&self, _target: StrTendril, _data: StrTendril) -> Rc<Held> {
        self.nameless()
    }

    fn append(&self, _parent: &Rc<Held>, child: NodeOrText<Rc<Held>>) {
        if let NodeOrText::AppendText(_) = child {
            self.0.spend(TEXT);
        }
    }

    fn append_based_on_parent_node(
        &self,
        _element: &Rc<Held>,
        _previous: &Rc<Held>,
        _child: NodeOrText<Rc<Held>>,
    ) {
        self.0.search();
    }

    fn append_doctype_to_document(&self, _: StrTendril, _: StrTendril, _: StrTendril) {}

    fn get_template_contents(&self, target: &Rc<Held>) -> Rc<Held> {
        Rc::clone(target)
    }

    fn same_node(&self, one: &Rc<Held>, other: &Rc<Held>) -> bool {
        self.0.spend(LOOK);
        Rc::ptr_eq(one, other)
    }

    fn set_quirks_mode(&self, _mode: QuirksMode) {}

    fn append_before_sibling(&self, _sibling: &Rc<Held>, _new: NodeOrText<Rc<Held>>) {
        self.0.search();
    }

    fn add_attrs_if_missing(&self, _target: &Rc<Held>, _attributes: Vec<Attribute>) {}

    fn remove_from_parent(&self, _target: &Rc<Held>) {
        self.0.search();
    }

    fn reparent_children(&self, _node: &Rc<Held>, _new_parent: &Rc<Held>) {
        self.0.search();
    }
}
