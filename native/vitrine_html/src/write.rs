//! Writes nodes as text.

use super::read::{Element, Node};

pub fn document(nodes: &[Node<'_>]) -> String {
    let mut text = String::new();
    for node in nodes {
        write(&mut text, node);
    }
    text
}

/// Writes nodes. Recurses no deeper than they were read.
fn write(out: &mut String, node: &Node<'_>) {
    match node {
        Node::Text(text) => out.push_str(text),
        Node::Element(element) => {
            start_tag(out, element, |out, _, value| out.push_str(value));
            for child in &element.children {
                write(out, child);
            }
            end_tag(out, element);
        }
    }
}

/// The start tag, whose values `value` writes, by the names of their attributes.
pub fn start_tag<'t>(
    out: &mut String,
    element: &Element<'t>,
    mut value: impl FnMut(&mut String, &'t str, &'t str),
) {
    out.push('<');
    out.push_str(element.name);
    for (name, attribute) in &element.attributes {
        out.push(' ');
        out.push_str(name);
        out.push_str("=\"");
        value(out, name, attribute);
        out.push('"');
    }
    out.push('>');
    // A parser skips a line feed here. So a line feed is written that the parser can skip, and the text stays whole.
    if element.skips_line_feed() {
        out.push('\n');
    }
}

pub fn end_tag(out: &mut String, element: &Element<'_>) {
    if !element.is_void() {
        out.push_str("</");
        out.push_str(element.name);
        out.push('>');
    }
}
