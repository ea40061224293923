//! Filters the values of attributes. Names are put into the plugin's namespace. A value that is in the namespace
//! already stays, so cleaning twice has the same result as cleaning once.

use std::borrow::Cow;

use ammonia::Url;

use super::css::{self, Context};
use super::policy::{INPUT_TYPES, PRESENTATION, Policy};

/// Names of events and keys that are worth keeping, in bytes.
const MAX_NAME: usize = 256;

/// The part of a policy that values depend on.
pub struct Attributes {
    namespace: String,
    id_prefix: String,
    event_prefix: String,
    classes: Vec<String>,
    schemes: Vec<String>,
    image_hosts: Vec<String>,
    own_hosts: Vec<String>,
    properties: Vec<String>,
    contained: bool,
}

impl Attributes {
    pub fn new(policy: &Policy) -> Self {
        Attributes {
            namespace: policy.namespace.clone(),
            id_prefix: format!("{}--", policy.namespace),
            event_prefix: event_prefix(&policy.namespace),
            classes: policy.classes.clone(),
            schemes: policy.schemes.clone(),
            image_hosts: policy.image_hosts.clone(),
            own_hosts: policy.own_hosts.clone(),
            properties: policy.properties.clone(),
            contained: policy.contained,
        }
    }

    /// The value that an allowed attribute gets. `None` drops the attribute.
    pub fn filter<'v>(&self, element: &str, name: &str, value: &'v str) -> Option<Cow<'v, str>> {
        match kind(element, name) {
            Kind::Nothing => None,
            Kind::Anything => Some(Cow::Borrowed(value)),
            Kind::Ids => self.ids(value),
            Kind::Classes => self.class(value),
            Kind::Name => self.name(value),
            Kind::Style => some(css::declarations(value, self.context())),
            Kind::Css => css::attribute(value, self.context()).map(Cow::Owned),
            Kind::Link => self.link(value),
            Kind::Image => self.image(value),
            Kind::OneOf(allowed) => one_of(value, allowed),
            Kind::Rate => rate(value),
            Kind::Key => (value.len() <= MAX_NAME).then_some(Cow::Borrowed(value)),
            Kind::Event => self.event(value),
        }
    }

    fn context(&self) -> Context<'_> {
        Context {
            id_prefix: &self.id_prefix,
            contained: self.contained,
            properties: &self.properties,
        }
    }

    fn ids<'v>(&self, value: &'v str) -> Option<Cow<'v, str>> {
        some(join(
            value.split_ascii_whitespace().map(|id| self.prefixed(id)),
        ))
    }

    fn class<'v>(&self, value: &'v str) -> Option<Cow<'v, str>> {
        some(join(value.split_ascii_whitespace().map(|class| {
            if self.classes.iter().any(|own| own == class) {
                Cow::Borrowed(class)
            } else {
                self.prefixed(class)
            }
        })))
    }

    fn prefixed<'v>(&self, id: &'v str) -> Cow<'v, str> {
        if id.starts_with(&self.id_prefix) {
            Cow::Borrowed(id)
        } else {
            Cow::Owned(format!("{}{id}", self.id_prefix))
        }
    }

    /// `title` becomes `namespace[title]`, `tags[]` becomes `namespace[tags][]`. No property of a form has such a name.
    /// A name that a property also has would hide the property from the scripts of the page.
    fn name<'v>(&self, value: &'v str) -> Option<Cow<'v, str>> {
        let inside = value
            .strip_prefix(&self.namespace)
            .is_some_and(|rest| rest.starts_with('['));
        if inside {
            return Some(Cow::Borrowed(value));
        }
        let (first, rest) = value.split_at(value.find('[').unwrap_or(value.len()));
        (!first.is_empty() && !first.contains(']'))
            .then(|| Cow::Owned(format!("{}[{first}]{rest}", self.namespace)))
    }

    fn event<'v>(&self, value: &'v str) -> Option<Cow<'v, str>> {
        if value.starts_with(&self.event_prefix) {
            return Some(Cow::Borrowed(value));
        }
        (!value.is_empty() && value.len() <= MAX_NAME)
            .then(|| Cow::Owned(format!("{}{value}", self.event_prefix)))
    }

    /// Keeps only links that certainly lead elsewhere: a relative link leads into the host's own pages.
    fn link<'v>(&self, value: &'v str) -> Option<Cow<'v, str>> {
        let value = value.trim_matches(|c: char| c <= ' ');
        if let Some(id) = value.strip_prefix('#') {
            return Some(if id.is_empty() {
                Cow::Borrowed("#")
            } else {
                Cow::Owned(format!("#{}", self.prefixed(id)))
            });
        }
        let url = Url::parse(value).ok()?;
        let allowed = self.schemes.iter().any(|scheme| scheme == url.scheme());
        (allowed && !self.leads_home(&url)).then(|| Cow::Owned(url.into()))
    }

    /// Whether a link leads to one of the host's own names, where the browser's cookies are the user's.
    fn leads_home(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default().trim_end_matches('.');
        self.own_hosts.iter().any(|own| {
            host.strip_suffix(own.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })
    }

    fn image<'v>(&self, value: &'v str) -> Option<Cow<'v, str>> {
        let url = Url::parse(value).ok()?;
        let host = url.host_str()?;
        let allowed = self.image_hosts.iter().any(|own| own == "*" || own == host);
        (allowed && url.scheme() == "https" && url.username().is_empty())
            .then(|| Cow::Owned(url.into()))
    }
}

/// The kind of an attribute's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The attribute is dropped.
    Nothing,
    /// Any value stays.
    Anything,
    Ids,
    Classes,
    Name,
    Style,
    Css,
    Link,
    Image,
    OneOf(&'static [&'static str]),
    Rate,
    Key,
    Event,
}

/// The kind of an attribute's values, by its element and name.
pub fn kind(element: &str, name: &str) -> Kind {
    // In HTML almost any text can be the name of an attribute.
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b':' | b'.');
    if !name.bytes().all(plain) || name.len() > MAX_NAME {
        return Kind::Nothing;
    }
    match name {
        "id" | "for" | "form" | "headers" | "list" => Kind::Ids,
        "aria-activedescendant"
        | "aria-controls"
        | "aria-describedby"
        | "aria-details"
        | "aria-errormessage"
        | "aria-flowto"
        | "aria-labelledby"
        | "aria-owns" => Kind::Ids,
        "class" => Kind::Classes,
        "name" => Kind::Name,
        "style" => Kind::Style,
        "href" => Kind::Link,
        "src" => Kind::Image,
        "type" if element == "input" => Kind::OneOf(INPUT_TYPES),
        "type" if element == "button" => Kind::OneOf(&["button", "reset", "submit"]),
        "tabindex" => Kind::OneOf(&["0", "-1"]),
        "phx-debounce" | "phx-throttle" => Kind::Rate,
        "phx-key" => Kind::Key,
        _ if name.starts_with("phx-value-") => Kind::Anything,
        _ if name.starts_with("phx-") => Kind::Event,
        _ if PRESENTATION.contains(&name) || name == "gradientTransform" => Kind::Css,
        _ => Kind::Anything,
    }
}

/// The namespace that an event's name begins with.
pub fn event_prefix(namespace: &str) -> String {
    format!("vitrine:{namespace}:")
}

fn join<'v>(names: impl Iterator<Item = Cow<'v, str>>) -> String {
    let names: Vec<_> = names.collect();
    names.join(" ")
}

fn some<'v>(value: String) -> Option<Cow<'v, str>> {
    (!value.is_empty()).then_some(Cow::Owned(value))
}

fn one_of<'v>(value: &'v str, allowed: &[&str]) -> Option<Cow<'v, str>> {
    let lower = value.trim().to_ascii_lowercase();
    allowed
        .contains(&lower.as_str())
        .then_some(Cow::Owned(lower))
}

/// Milliseconds, or `blur`.
fn rate(value: &str) -> Option<Cow<'_, str>> {
    let milliseconds = value.len() <= 5 && value.bytes().all(|byte| byte.is_ascii_digit());
    (value == "blur" || milliseconds && !value.is_empty()).then_some(Cow::Borrowed(value))
}
