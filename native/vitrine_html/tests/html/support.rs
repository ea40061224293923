//! The parts that the tests of HTML have in common.

use std::cell::RefCell;

use ammonia::Builder;
use html5ever::tendril::StrTendril;
use html5ever::tokenizer::{
    BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
};
use vitrine_html::{Dynamic, EVENTS, Error, Part, Policy, parse, sanitize};

/// The default policy of a host, but with all events.
pub fn policy() -> Policy {
    Policy {
        namespace: "game".into(),
        events: EVENTS.iter().map(|(event, _)| (*event).into()).collect(),
        schemes: ["https", "http", "mailto"].map(String::from).into(),
        max_bytes: 256 * 1024,
        max_depth: 64,
        ..Policy::default()
    }
}

/// The document, after all that holds for every document was checked.
pub fn clean(html: &str) -> String {
    let cleaned = sanitize(html, &policy()).unwrap();
    assert_safe(html, &cleaned);
    cleaned
}

/// Checks the properties that every cleaned document must have.
pub fn assert_safe(html: &str, cleaned: &str) {
    for tag in tags(cleaned) {
        assert_tag(&tag, html, cleaned);
    }
    assert_eq!(
        sanitize(cleaned, &policy()).as_deref(),
        Ok(cleaned),
        "again, of {html:?}"
    );
    assert_eq!(
        parse(html, &policy(), together).unwrap(),
        cleaned,
        "parts of {html:?}"
    );
    assert_stays(html, cleaned);
}

#[rustfmt::skip]
const HARMLESS: &[&str] = &[
    "alt", "cell", "checked", "class", "colspan", "cx", "cy", "d", "dir", "disabled", "fill", "height", "hidden", "id",
    "lang", "max", "min", "offset", "open", "placeholder", "required", "selected", "r", "role", "rowspan", "size", "stop-color", "stroke",
    "tabindex", "title", "transform", "value", "viewbox", "width", "x", "y",
];

fn assert_tag(tag: &Tag, html: &str, cleaned: &str) {
    let element = &*tag.name;
    let told = || format!("{html:?} became {cleaned:?}");
    #[rustfmt::skip]
    let elements = [
        "a", "abbr", "article", "aside", "b", "bdi", "bdo", "blockquote", "br", "button", "caption", "cite", "code",
        "col", "colgroup", "data", "datalist", "dd", "del", "details", "dfn", "div", "dl", "dt", "em", "fieldset",
        "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hgroup", "hr", "i",
        "img", "input", "ins", "kbd", "label", "legend", "li", "main", "mark", "menu", "meter", "nav", "ol",
        "optgroup", "option", "output", "p", "pre", "progress", "q", "rp", "rt", "ruby", "s", "samp", "section",
        "select", "small", "span", "strong", "sub", "summary", "sup", "table", "tbody", "td", "textarea", "tfoot",
        "th", "thead", "time", "tr", "u", "ul", "var", "wbr", "svg", "g", "path", "circle", "ellipse", "line", "rect",
        "polyline", "polygon", "text", "tspan", "defs", "lineargradient", "radialgradient", "stop", "clippath",
    ];
    assert!(elements.contains(&element), "<{element}>: {}", told());
    for attribute in &tag.attrs {
        let (name, value) = (&*attribute.name.local, &*attribute.value);
        let fine = match name {
            "id" | "for" | "form" => value.split(' ').all(|id| id.starts_with("game--")),
            "class" => value.split(' ').all(|class| class.starts_with("game--")),
            "name" => value.starts_with("game["),
            "href" => ["https://", "http://", "mailto:", "#"]
                .iter()
                .any(|start| value.starts_with(start)),
            "src" => false,
            "rel" => element == "a" && value == "noopener noreferrer nofollow",
            "target" => element == "a" && value == "_blank",
            "method" => element == "form" && value == "dialog",
            "autocomplete" => element == "form" && value == "off",
            "referrerpolicy" => element == "img" && value == "no-referrer",
            "type" => !["password", "file", "image"].contains(&value),
            "style" => is_harmless_style(value),
            "phx-key" | "phx-debounce" | "phx-throttle" => true,
            _ if name.starts_with("phx-value-") || name.starts_with("aria-") => true,
            _ if name.starts_with("phx-") => value.starts_with("vitrine:game:"),
            _ => {
                HARMLESS.contains(&name)
                    && (name == "title" || name == "alt" || !value.contains("url(http"))
            }
        };
        assert!(fine, "{name}={value:?}: {}", told());
    }
    if element == "form" {
        let submit = tag
            .attrs
            .iter()
            .any(|attribute| &*attribute.name.local == "phx-submit");
        assert!(submit, "a form that the browser sends: {}", told());
    }
}

fn is_harmless_style(style: &str) -> bool {
    let style = style.to_ascii_lowercase();
    let bad = [
        "\\",
        "/*",
        "<",
        "@",
        "http",
        "javascript",
        "expression",
        "import",
        "position",
        "fixed",
        ":-",
        " -",
    ];
    !bad.iter().any(|bad| style.contains(bad))
}

/// The start tags, as a tokenizer finds them that knows nothing of how they were written. End tags must
/// match them.
pub fn tags(html: &str) -> Vec<Tag> {
    let tokenizer = Tokenizer::new(Tags::default(), TokenizerOpts::default());
    let input = BufferQueue::default();
    input.push_back(StrTendril::from(html));
    let _ = tokenizer.feed(&input);
    tokenizer.end();
    let (open, tags) = (
        tokenizer.sink.open.into_inner(),
        tokenizer.sink.tags.into_inner(),
    );
    assert!(open.is_empty(), "{open:?} is left open in {html:?}");
    tags
}

#[derive(Default)]
struct Tags {
    open: RefCell<Vec<String>>,
    tags: RefCell<Vec<Tag>>,
}

impl TokenSink for Tags {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        match token {
            Token::TagToken(tag) if tag.kind == TagKind::StartTag => {
                let void = ["br", "col", "hr", "img", "input", "wbr"].contains(&&*tag.name);
                if !void {
                    self.open.borrow_mut().push(tag.name.to_string());
                }
                self.tags.borrow_mut().push(tag);
            }
            Token::TagToken(tag) => {
                let open = self.open.borrow_mut().pop();
                assert_eq!(
                    open.as_deref(),
                    Some(&*tag.name),
                    "an end tag without its start"
                );
            }
            Token::CommentToken(text) => panic!("a comment: {text}"),
            Token::DoctypeToken(_) => panic!("a doctype"),
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

/// Checks that in a page the contents behind the plugin's element stay behind it, and do not get into it.
fn assert_stays(html: &str, cleaned: &str) {
    let page = format!(r#"<div id="plugin">{cleaned}</div><div id="after">text</div>"#);
    let mut builder = Builder::empty();
    builder.add_tags(["div"]).add_generic_attributes(["id"]);
    let divs = builder.clean(&page).to_string();
    let end = divs
        .find(r#"<div id="after">text</div>"#)
        .expect("what comes behind");
    let before = &divs[..end];
    let (opened, closed) = (
        before.matches("<div").count(),
        before.matches("</div>").count(),
    );
    assert_eq!(opened, closed, "{html:?} leaves its element: {divs}");
    assert!(divs.starts_with(r#"<div id="plugin">"#));
    // Nothing ends the element before its own end.
    let mut depth = 0_i32;
    let inside = &before[..before.len() - "</div>".len()];
    for (place, _) in inside.match_indices("div") {
        let opens = inside[..place].ends_with('<');
        let closes = inside[..place].ends_with("</");
        depth += i32::from(opens) - i32::from(closes);
        assert!(depth > 0, "{html:?} leaves its element: {divs}");
    }
}

/// Parts as text.
pub fn together(part: &Part<'_>) -> String {
    assert_eq!(part.shape.statics.len(), part.dynamics.len() + 1);
    let mut text = part.shape.statics[0].clone();
    for (dynamic, after) in part.dynamics.iter().zip(&part.shape.statics[1..]) {
        text += &dynamic_text(dynamic);
        text += after;
    }
    text
}

fn dynamic_text(dynamic: &Dynamic<'_>) -> String {
    match dynamic {
        Dynamic::Text(text) => (*text).to_string(),
        Dynamic::Part(part) => together(part),
        Dynamic::List(list) => list.items.iter().map(dynamic_text).collect(),
    }
}

/// The error of a document that cannot be cleaned.
pub fn refused(html: &str) -> Error {
    sanitize(html, &policy()).unwrap_err()
}
