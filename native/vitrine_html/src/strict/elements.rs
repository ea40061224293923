//! The rules for each element that tell where an HTML parser leaves it exactly where it was written.
//!
//! At a tag, a parser may close elements before it (a paragraph before a block), put it elsewhere (text of a table
//! before the table), open elements again (formatting that was closed by another's end tag), or leave it out (a form
//! in a form). Each of these needs one of a few elements around the tag. The rules here exclude those elements, so the
//! tree is the one that the tags say. If the standard allows more only because of other exceptions, the rules here do
//! not allow it.
//!
//! An element without a rule here has contents that are not markup, or is used too rarely to have one.

use std::collections::HashMap;
use std::sync::LazyLock;

/// A set of elements: a bit for each.
type Set = u128;

/// The contents that an element may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Nothing: there is no end tag.
    Void,
    /// Text, and elements that may be anywhere or in this one.
    Flow,
    /// Text.
    Text,
    /// Space, and elements that may be in this one.
    Elements,
    /// Text and elements of SVG.
    Drawing,
}

/// The rule of an element.
#[derive(Debug)]
pub struct Rule {
    pub name: &'static str,
    pub content: Content,
    own: Set,
    /// The elements that may be its parent. The set is empty if it may stand in any flow.
    parents: Set,
    /// The elements that must not be open anywhere around it.
    excluded: Set,
}

impl Rule {
    /// Returns true if it is an element of SVG.
    pub fn is_drawing(&self) -> bool {
        self.content == Content::Drawing
    }
}

/// Tags that the standard does not name ("any other start tag"), and void elements like them. Their tags open and close
/// no other element.
const PHRASES: &[&str] = &[
    "abbr", "bdi", "bdo", "cite", "data", "del", "dfn", "ins", "kbd", "label", "legend", "mark",
    "meter", "output", "progress", "q", "samp", "span", "sub", "sup", "time", "var",
];

const VOID_PHRASES: &[&str] = &["br", "img", "input", "wbr"];

/// Formatting elements. A parser opens them again where they were closed before their end tag, but a strict document
/// never closes them so. If one is in another with the same name, the parser closes the outer one first (`a`), or
/// limits their number (the others).
const FORMATTING: &[&str] = &["a", "b", "code", "em", "i", "s", "small", "strong", "u"];

/// Elements whose start tag closes a paragraph, however far around them it is.
#[rustfmt::skip]
const BLOCKS: &[&str] = &[
    "article", "aside", "blockquote", "details", "div", "dl", "fieldset", "figcaption", "figure", "footer", "header",
    "hgroup", "main", "menu", "nav", "ol", "p", "pre", "section", "summary", "ul",
];

/// Headings. A heading closes the heading that it is in.
const HEADINGS: &[&str] = &["h1", "h2", "h3", "h4", "h5", "h6"];

/// Foreign content. Only an element of HTML in it could make a parser leave it.
#[rustfmt::skip]
const DRAWINGS: &[&str] = &[
    "circle", "clipPath", "defs", "ellipse", "g", "line", "linearGradient", "path", "polygon", "polyline",
    "radialGradient", "rect", "stop", "svg", "text", "tspan",
];

/// Elements that must stand in certain others, with their parents and their contents. In such a place, the tags of
/// tables' parts and of options find nothing to close.
#[rustfmt::skip]
const PLACED: &[(&str, &[&str], Content)] = &[
    ("caption", &["table"], Content::Flow),
    ("colgroup", &["table"], Content::Elements),
    ("thead", &["table"], Content::Elements),
    ("tbody", &["table"], Content::Elements),
    ("tfoot", &["table"], Content::Elements),
    ("col", &["colgroup"], Content::Void),
    ("tr", &["tbody", "tfoot", "thead"], Content::Elements),
    ("td", &["tr"], Content::Flow),
    ("th", &["tr"], Content::Flow),
    ("optgroup", &["select"], Content::Elements),
    ("option", &["optgroup", "select"], Content::Text),
];

/// Items with their lists. An item closes the item before it in its list, and a paragraph.
#[rustfmt::skip]
const ITEMS: &[(&str, &[&str])] = &[
    ("li", &["menu", "ol", "ul"]),
    ("dd", &["dl"]),
    ("dt", &["dl"]),
];

static RULES: LazyLock<HashMap<&'static str, Rule>> = LazyLock::new(rules);

/// The rule of an element, if there is one.
pub fn rule(name: &str) -> Option<&'static Rule> {
    RULES.get(name)
}

/// All elements that have a rule.
#[cfg(test)]
pub fn names() -> impl Iterator<Item = &'static str> {
    RULES.keys().copied()
}

fn rules() -> HashMap<&'static str, Rule> {
    let mut rules = Rules::default();
    let paragraph = rules.set(&["p"]);
    let headings = rules.set(HEADINGS);
    let formatting = rules.set(FORMATTING);
    let drawings = rules.set(DRAWINGS);
    rules.add_all(PHRASES, Content::Flow, 0, 0);
    rules.add_all(VOID_PHRASES, Content::Void, 0, 0);
    for name in FORMATTING {
        let like = rules.set(&[name]);
        rules.add(name, Content::Flow, 0, like);
    }
    rules.add_all(BLOCKS, Content::Flow, 0, paragraph);
    rules.add_all(HEADINGS, Content::Flow, 0, paragraph | headings);
    rules.add("hr", Content::Void, 0, paragraph);
    let form = rules.set(&["form"]);
    rules.add("form", Content::Flow, 0, paragraph | form);
    let button = rules.set(&["button"]);
    rules.add("button", Content::Flow, 0, button);
    rules.add("select", Content::Elements, 0, 0);
    let table = rules.set(&["table"]);
    rules.add(
        "table",
        Content::Elements,
        0,
        paragraph | formatting | table,
    );
    for (name, lists) in ITEMS {
        let lists = rules.set(lists);
        rules.add(name, Content::Flow, lists, paragraph);
    }
    for (name, parents, content) in PLACED {
        let parents = rules.set(parents);
        rules.add(name, *content, parents, 0);
    }
    rules.add_all(DRAWINGS, Content::Drawing, drawings, 0);
    rules.add("svg", Content::Drawing, 0, drawings);
    rules.rules
}

/// The rules under construction, with the numbers that names get.
#[derive(Default)]
struct Rules {
    rules: HashMap<&'static str, Rule>,
    numbers: HashMap<&'static str, u32>,
}

impl Rules {
    fn set(&mut self, names: &[&'static str]) -> Set {
        names.iter().fold(0, |set, name| {
            let next = self.numbers.len() as u32;
            set | 1 << *self.numbers.entry(name).or_insert(next)
        })
    }

    fn add(&mut self, name: &'static str, content: Content, parents: Set, excluded: Set) {
        let own = self.set(&[name]);
        let rule = Rule {
            name,
            content,
            own,
            parents,
            excluded,
        };
        self.rules.insert(name, rule);
    }

    fn add_all(&mut self, names: &[&'static str], content: Content, parents: Set, excluded: Set) {
        for name in names {
            self.add(name, content, parents, excluded);
        }
    }
}

/// The elements that are open.
#[derive(Default)]
pub struct Open {
    /// Each open element with the set of the elements that were open around it.
    elements: Vec<(&'static Rule, Set)>,
    all: Set,
}

impl Open {
    /// The contents that the innermost element may have.
    pub fn content(&self) -> Content {
        let innermost = self.elements.last();
        innermost.map_or(Content::Flow, |(rule, _)| rule.content)
    }

    pub fn innermost(&self) -> Option<&'static str> {
        self.elements.last().map(|(rule, _)| rule.name)
    }

    pub fn is_empty(&self) -> bool {
        self.elements.is_empty()
    }

    /// Returns true if a parser leaves an element at this place where it is.
    pub fn may_hold(&self, rule: &Rule) -> bool {
        let placed = if rule.parents == 0 {
            self.content() == Content::Flow
        } else {
            let parent = self.elements.last().map_or(0, |(parent, _)| parent.own);
            parent & rule.parents != 0
        };
        placed && self.all & rule.excluded == 0
    }

    pub fn push(&mut self, rule: &'static Rule) {
        self.elements.push((rule, self.all));
        self.all |= rule.own;
    }

    /// Closes the innermost element.
    pub fn pop(&mut self) -> Option<&'static Rule> {
        let (rule, around) = self.elements.pop()?;
        self.all = around;
        Some(rule)
    }
}
