//! Adds the attributes that the plugin does not choose.

use super::is_event;
use super::read::{Element, Node};

/// The attributes that complete elements.
pub struct Completion {
    /// The event of forms that have none. Without an event a browser sends a form by itself.
    pub submit: String,
    /// `phx-target`, escaped.
    pub target: Option<String>,
}

impl Completion {
    /// Adds the attributes. Recurses no deeper than the nodes were read.
    pub fn complete<'t>(&'t self, nodes: &mut [Node<'t>]) {
        for node in nodes {
            if let Node::Element(element) = node {
                self.element(element);
                self.complete(&mut element.children);
            }
        }
    }

    fn element<'t>(&'t self, element: &mut Element<'t>) {
        let written = element.attributes.len();
        match element.name {
            "a" if element
                .attribute("href")
                .is_some_and(|href| !href.starts_with('#')) =>
            {
                element
                    .attributes
                    .push(("rel", "noopener noreferrer nofollow"));
                element.attributes.push(("target", "_blank"));
            }
            "form" => {
                // The form does nothing before LiveView is connected.
                element.attributes.push(("method", "dialog"));
                element.attributes.push(("autocomplete", "off"));
                if element.attribute("phx-submit").is_none() {
                    element.attributes.push(("phx-submit", &self.submit));
                }
            }
            "img" => element.attributes.push(("referrerpolicy", "no-referrer")),
            _ => {}
        }
        let is_event = |(name, _): &(&str, &str)| is_event(name);
        if let Some(target) = &self.target
            && element.attributes.iter().any(is_event)
        {
            element.attributes.push(("phx-target", target));
        }
        if element.attributes.len() > written {
            element.attributes.sort_unstable();
        }
    }
}

/// A value as it is written.
pub fn escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            c => escaped.push(c),
        }
    }
    escaped
}
