//! Tests that the scan gives the same result as the parser for every document that it accepts, also when the result is
//! read again. The documents are nearly strict, have all elements in all elements, and are also tried with a mistake.

#![allow(clippy::unwrap_used)]

use super::elements::names;
use super::*;
use crate::clean::{Cleaner, Pass};
use crate::policy::{ATTRIBUTES, GENERIC, PRESENTATION, Policy, SVG_TAGS, TAGS};
use crate::{EVENTS, Error, read, write};

/// The number of random documents. `VITRINE_HTML_CASES` sets another one.
const CASES: usize = 6000;

fn policy() -> Policy {
    Policy {
        namespace: "game".into(),
        events: EVENTS.iter().map(|(event, _)| (*event).into()).collect(),
        schemes: ["https", "http", "mailto"].map(String::from).into(),
        max_bytes: 256 * 1024,
        max_depth: 64,
        ..Policy::default()
    }
}

fn policies() -> Vec<Policy> {
    let strict = Policy {
        events: vec!["click".into()],
        max_depth: 4,
        ..policy()
    };
    let generous = Policy {
        classes: vec!["btn".into()],
        tags: vec!["big".into(), "address".into()],
        attributes: vec![
            ("*".into(), "itemprop".into()),
            ("b".into(), "itemid".into()),
            ("rect".into(), "itemid".into()),
        ],
        image_hosts: vec!["*".into()],
        contained: true,
        max_depth: 256,
        ..policy()
    };
    vec![policy(), strict, generous]
}

/// The scan and the sanitiser for one policy.
struct Both<'p> {
    policy: &'p Policy,
    allowed: Allowed,
    cleaner: Cleaner<'p>,
}

impl<'p> Both<'p> {
    fn new(policy: &'p Policy) -> Self {
        Both {
            policy,
            allowed: Allowed::new(policy),
            cleaner: Cleaner::new(policy),
        }
    }

    /// Returns true if the scan accepts a document. Then its result must be that of the parser.
    fn accepts(&self, html: &str) -> bool {
        let Some(scanned) = clean(html, &self.allowed) else {
            return false;
        };
        let shown = self.show(&scanned);
        let parsed = self.parse(html);
        assert_eq!(shown, parsed.and_then(|text| self.show(&text)), "{html:?}");
        // A browser parses the shown document.
        if let Ok(shown) = shown {
            let again = self.parse(&shown).unwrap();
            assert_eq!(self.show(&again).as_deref(), Ok(&*shown), "of {html:?}");
        }
        true
    }

    /// The result of the parser alone for a document.
    fn parse(&self, html: &str) -> Result<String, Error> {
        let mut text = html.to_string();
        for _ in 0..7 {
            match self.cleaner.pass(&text, self.policy)? {
                Pass::Same(cleaned) => return Ok(cleaned),
                Pass::Changed(shown) => text = shown,
            }
        }
        Err(Error::Unstable)
    }

    fn show(&self, cleaned: &str) -> Result<String, Error> {
        let nodes = read::nodes(cleaned, self.policy.max_depth)?;
        Ok(write::document(&nodes))
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end
    }

    fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}

#[rustfmt::skip]
const OTHERS: &[&str] = &[
    "address", "big", "center", "dialog", "font", "frameset", "iframe", "image", "marquee", "math", "nobr",
    "noscript", "object", "plaintext", "rb", "rtc", "script", "search", "selectedcontent", "style", "template",
    "title", "xmp", "body", "html", "head", "tt", "foreignObject", "desc", "mi", "x", "custom-element",
];

/// The elements that are often in elements that [`CHILDREN`] does not list.
#[rustfmt::skip]
const FLOW: &[&str] = &[
    "div", "p", "span", "b", "i", "a", "button", "section", "h1", "ul", "table", "select", "svg", "form", "input", "br",
    "label", "em", "details", "dl", "pre", "img", "hr", "div", "span", "button",
];

/// Elements, each with the elements that are often in it.
#[rustfmt::skip]
const CHILDREN: &[(&str, &[&str])] = &[
    ("table", &["caption", "colgroup", "thead", "tbody", "tbody", "tfoot", "tr", "tr", "tr"]),
    ("thead", &["tr"]), ("tbody", &["tr"]), ("tfoot", &["tr"]),
    ("tr", &["td", "th"]), ("colgroup", &["col"]),
    ("ul", &["li"]), ("ol", &["li"]), ("menu", &["li"]), ("dl", &["dt", "dd"]),
    ("select", &["option", "optgroup"]), ("optgroup", &["option"]), ("option", &[]),
    ("svg", SVG_TAGS), ("g", SVG_TAGS), ("text", &["tspan"]), ("defs", &["linearGradient", "clipPath"]),
    ("linearGradient", &["stop"]), ("clipPath", &["rect", "path"]), ("rect", &[]), ("path", &[]),
];

#[rustfmt::skip]
const VALUES: &[&str] = &[
    "", "a", "a b", "game--a", " x ", "btn x", "1", "0", "click", "vitrine:game:x", "https://a.example/?a=1&amp;b",
    "/x", "#a", "javascript:1", "mailto:a@b", "http://\u{e9}/", "color:red", "color:RED ; width:1px!important",
    "position:absolute;margin:-1px", "font:28px/1 sans-serif", "background:url(#a)", "url(#a)", "translate(1 2)",
    "M0 0L1,1", "x&lt;y", "x>y", "x&y", "a&nbsp;b", "\u{a0}", "&quot;", "&#39;", "&#x27;", "&#65;", "&#128;", "&#0;",
    "&#xD;", "&amp", "a\nb", "a\tb", "a\rb", "'", "\0", "\u{1}", "\u{7f}", "\u{80}", "\u{fffe}", "<", "</b>", "hidden",
    "submit", "POST", "9999999", "names[a]", "]", "\u{1F3B2}", "`", "=",
];

#[rustfmt::skip]
const NAMES: &[&str] = &[
    "onclick", "phx-click", "phx-hook", "phx-value-a", "phx-value-A", "aria-label", "Aria-label", "Class", "STYLE",
    "data-x", "name", "href", "src", "type", "for", "itemprop", "itemid", "action", "is", "xmlns", "viewbox",
    "viewBox", "xlink:href", "xml:lang", "a.b", "a_b", "definitionurl", "color", "face", "size", "gradientTransform",
    "phx-value-", "1a", "-a", "encoding",
];

#[rustfmt::skip]
const PIECES: &[&str] = &[
    "<", ">", "\"", "'", "=", "/", " ", "\n", "&", "&lt;", "<!-- -->", "<![CDATA[x]]>", "<?x>", "<!x>", "</", "<p>",
    "</p>", "<b>", "</b>", "<a>", "<table>", "</table>", "<tr>", "<td>", "<li>", "<form>", "</form>", "<select>",
    "<option>", "<button>", "<br>", "</br>", "<br/>", "<svg>", "</svg>", "<path/>", "<pre>\n", "<textarea>", "x",
    "\0", "\r", "\u{feff}", "\u{c}", "<div", "<b/>", "</x>", "<P>", "</DIV>", "<hr>", "<h1>", "<col>", "<tbody>",
];

const TEXTS: &[&str] = &[
    "", " ", "\n ", "x", "a b", "1 &lt; 2", "&amp;", "&nbsp;", "\u{a0}", "a > b", "\"", "'",
    "&#39;", "\u{e9}", "&notit;", "& ", "&copy", "\t", "\u{b}",
];

fn text(random: &mut Random) -> &'static str {
    if random.one_in(40) {
        random.of(TEXTS)
    } else {
        random.of(&TEXTS[..14])
    }
}

fn attributes(random: &mut Random, element: &str, out: &mut String) {
    for _ in 0..random.below(4) {
        let own = ATTRIBUTES.iter().find(|(name, _)| *name == element);
        let name = match (random.below(12), own) {
            (0..=5, Some((_, own))) => random.of(own),
            (0, None) => random.of(PRESENTATION),
            (11, _) => random.of(NAMES),
            (10, _) => random.of(&["phx-click", "phx-value-a", "aria-label", "aria-owns"]),
            _ => random.of(GENERIC),
        };
        out.push_str(random.of(&[" ", " ", " ", "\n  "]));
        out.push_str(name);
        let value = if random.one_in(12) {
            random.of(VALUES)
        } else {
            random.of(&VALUES[..24])
        };
        match random.below(12) {
            0 => {}
            1 => *out += &format!("='{}'", value.replace('\'', "&#39;")),
            2 if random.one_in(8) => *out += &format!("={value}"),
            _ => *out += &format!("=\"{}\"", value.replace('"', "&quot;")),
        }
    }
}

fn element(
    random: &mut Random,
    all: &[&'static str],
    parent: &str,
    depth: usize,
    out: &mut String,
) {
    let usual = CHILDREN.iter().find(|(name, _)| *name == parent);
    let name = match (random.below(60), usual) {
        (0, _) => random.of(OTHERS),
        (1..=3, _) => random.of(all),
        (_, None) => random.of(FLOW),
        (_, Some((_, []))) => return,
        (_, Some((_, usual))) => random.of(usual),
    };
    out.push('<');
    out.push_str(name);
    attributes(random, name, out);
    if random.one_in(30) {
        out.push_str(random.of(&["/", " /", " "]));
    }
    out.push('>');
    if matches!(name, "br" | "col" | "hr" | "img" | "input" | "wbr") {
        return;
    }
    for _ in 0..random.below(4) {
        if depth > 0 && !random.one_in(4) {
            element(random, all, name, depth - 1, out);
        }
        let placed = matches!(
            name,
            "table" | "thead" | "tbody" | "tfoot" | "tr" | "colgroup" | "select" | "optgroup"
        );
        out.push_str(if placed && !random.one_in(20) {
            random.of(&["", " ", "\n"])
        } else {
            text(random)
        });
    }
    *out += &format!("</{name}>");
}

/// Puts a mistake into a document.
fn mangle(random: &mut Random, html: &str) -> String {
    let at = |random: &mut Random| html.floor_char_boundary(random.below(html.len() + 1));
    let (one, two) = (at(random), at(random));
    let (start, end) = (
        one.min(two),
        html.ceil_char_boundary(one.max(two).min(one.min(two) + 8)),
    );
    match random.below(4) {
        0 => format!("{}{}", &html[..start], &html[end..]),
        1 => format!("{}{}{}", &html[..end], &html[start..end], &html[end..]),
        _ => format!("{}{}{}", &html[..start], random.of(PIECES), &html[start..]),
    }
}

#[test]
fn the_scan_and_the_parser_agree_on_accepted_documents() {
    let cases = std::env::var("VITRINE_HTML_CASES").map_or(CASES, |cases| cases.parse().unwrap());
    let seed = std::env::var("VITRINE_HTML_SEED").map_or(0, |seed| seed.parse().unwrap());
    let mut random = Random(0x2545_F491_4F6C_DD1D ^ seed);
    let mut all: Vec<_> = names().collect();
    all.sort_unstable();
    let policies = policies();
    let ways: Vec<_> = policies.iter().map(Both::new).collect();
    let (mut accepted, mut mangled) = (0, 0);
    for case in 0..cases {
        let both = &ways[case % ways.len()];
        let mut html = String::new();
        for _ in 0..1 + random.below(3) {
            element(&mut random, &all, "", 4, &mut html);
            html.push_str(text(&mut random));
        }
        accepted += usize::from(both.accepts(&html));
        for _ in 0..1 + random.below(2) {
            html = mangle(&mut random, &html);
        }
        mangled += usize::from(both.accepts(&html));
    }
    // If the scan accepted few documents, this test would show nothing.
    assert!(
        accepted > cases / 4 && mangled > cases / 20,
        "{accepted} and {mangled} of {cases}"
    );
}

#[test]
fn each_element_in_any_two_is_where_it_was_written() {
    let mut all: Vec<_> = names().chain(OTHERS.iter().copied()).collect();
    all.sort_unstable();
    let void = |name: &str| matches!(name, "br" | "col" | "hr" | "img" | "input" | "wbr");
    let policy = policy();
    let both = Both::new(&policy);
    let mut accepted = 0;
    for outer in &all {
        for middle in &all {
            for inner in &all {
                let end = if void(inner) {
                    String::new()
                } else {
                    format!("x</{inner}>")
                };
                let html = format!("<{outer}><{middle}><{inner}>{end}</{middle}></{outer}>");
                accepted += usize::from(both.accepts(&html));
            }
        }
    }
    assert!(accepted > 1000, "{accepted}");
}

#[test]
fn every_element_that_may_stay_has_its_attributes() {
    let policy = policy();
    let both = Both::new(&policy);
    for name in TAGS.iter().chain(SVG_TAGS) {
        let Some(rule) = rule(name) else { continue };
        let own = ATTRIBUTES.iter().filter(|(element, _)| element == name);
        let own = own.flat_map(|(_, attributes)| attributes.iter());
        for attribute in own.chain(PRESENTATION).chain(GENERIC).chain(NAMES) {
            for value in ["a", "1", "https://a.example/", "url(#a)"] {
                let element = match rule.content {
                    Content::Void => format!("<{name} {attribute}=\"{value}\">"),
                    _ => format!("<{name} {attribute}=\"{value}\"></{name}>"),
                };
                let html = match *name {
                    "li" => format!("<ul>{element}</ul>"),
                    "dd" | "dt" => format!("<dl>{element}</dl>"),
                    "caption" | "colgroup" | "thead" | "tbody" | "tfoot" => {
                        format!("<table>{element}</table>")
                    }
                    "col" => format!("<table><colgroup>{element}</colgroup></table>"),
                    "tr" => format!("<table><tbody>{element}</tbody></table>"),
                    "td" | "th" => format!("<table><tbody><tr>{element}</tr></tbody></table>"),
                    "option" | "optgroup" => format!("<select>{element}</select>"),
                    name if rule.is_drawing() && name != "svg" => format!("<svg>{element}</svg>"),
                    _ => element,
                };
                // The scan is not sure of attributes of drawings and of unusual names.
                let plain =
                    |(place, b): (usize, u8)| b.is_ascii_lowercase() || b == b'-' && place > 0;
                let unsure = rule.is_drawing() || !attribute.bytes().enumerate().all(plain);
                assert!(both.accepts(&html) || unsure, "{html}");
            }
        }
    }
}

#[test]
fn documents_that_plugins_write_are_accepted() {
    let policy = policy();
    let both = Both::new(&policy);
    for html in [
        "",
        "just text, \"quoted\" &amp; said &#39;so&#39;",
        "<section>\n  <p>It is <b>your</b> turn:<br> go</p>\n<button type='button' phx-click=\"move\" disabled>x</button></section>",
        "<table><caption>x</caption><thead><tr><th>a</th></tr></thead> <tbody>\n<tr><td><p>1</p></td></tr></tbody></table>",
        "<table>\n <tr>\n <td>a</td></tr> <tr></tr>\n</table><table><tr></tr></table>",
        "<table><caption>x</caption><thead></thead> <tr><td>a</td></tr></table>",
        "<form phx-submit=\"save\"><label>Name <input name=\"name\" value=\"\"/></label><select name=\"s\"><option selected>1</option></select></form>",
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 9 9\"><g><rect width=\"1\" fill=\"red\"/></g><text>x</text></svg>",
        "<pre>\n\n a\n</pre><ul><li>1</li> <li>2<ul><li>3</li></ul></li></ul>",
        "<article><h1>a</h1><p>b <a href=\"https://example.com/\">c</a></p><blockquote><p>d</p></blockquote><hr></article>",
    ] {
        assert!(both.accepts(html), "{html}");
    }
}

#[test]
fn documents_that_a_parser_could_read_otherwise_are_refused() {
    for html in [
        "<p><div></div></p>",
        "<p><p></p></p>",
        "<b><b></b></b>",
        "<a><span><a></a></span></a>",
        "<li></li>",
        "<table><tr><td></td></tr></tbody></table>",
        "<table>x</table>",
        "<table><tbody><td></td></tbody></table>",
        "<button><div><button></button></div></button>",
        "<form><form></form></form>",
        "<h1><h2></h2></h1>",
        "<svg><p></p></svg>",
        "<svg><title></title></svg>",
        "<div/>",
        "<br></br>",
        "</p>",
        "<p>",
        "<b><i></b></i>",
        "<table><tr></tr><tbody></tbody></table>",
        "<table><tr></tr>x</table>",
        "<table><tr></tr><tr>",
        "<textarea></textarea>",
        "<select>x</select>",
        "<select><b></b></select>",
        "<option></option>",
        "<p title=a>x</p>",
        "<p title=\"a\"lang=\"b\">x</p>",
        "<p title=\"a\" title=\"b\">x</p>",
        "<p Class=\"a\">x</p>",
        "<P>x</P>",
        "a & b",
        "&copy;",
        "<!-- -->",
        "a\r\n",
        "\u{feff}a",
        "a\0",
        "<svg viewbox=\"0\"></svg>",
    ] {
        assert_eq!(clean(html, &Allowed::new(&policy())), None, "{html}");
    }
}

#[test]
fn the_number_of_elements_is_bounded() {
    let allowed = Allowed::new(&policy());
    assert!(clean(&"<br>".repeat(ELEMENTS), &allowed).is_some());
    assert!(clean(&"<br>".repeat(ELEMENTS + 1), &allowed).is_none());
}
