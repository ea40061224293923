//! Documents as parts.

use vitrine_core::html::{Dynamic, Part, parse};

use crate::support::policy;

fn with<R>(html: &str, look: impl FnOnce(&Part<'_>) -> R) -> R {
    parse(html, &policy(), look).unwrap()
}

fn statics(html: &str) -> Vec<String> {
    with(html, |part| part.shape.statics.clone())
}

fn fingerprint(html: &str) -> [u8; 32] {
    with(html, |part| part.shape.fingerprint)
}

#[test]
fn texts_and_values_are_in_the_gaps() {
    with("<p class=a title=b>c</p>", |part| {
        let text = ["<p class=\"", "\" title=\"", "\">", "</p>"];
        assert_eq!(part.shape.statics, text);
        assert_eq!(part.dynamics, ["game--a", "b", "c"].map(Dynamic::Text));
    });
}

#[test]
fn an_element_without_text_has_a_gap_for_it() {
    assert_eq!(fingerprint("<p></p>"), fingerprint("<p>x</p>"));
    assert_eq!(statics("<p> </p>"), ["<p>", "</p>"]);
}

#[test]
fn an_element_alone_belongs_to_its_parent() {
    let text = ["<div>\n<p>", "</p>\n</div>"];
    assert_eq!(statics("<div>\n<p>x</p>\n</div>"), text);
}

#[test]
fn siblings_are_parts_of_their_own() {
    with("<ul><li>1</li> <li>2</li></ul>", |part| {
        assert_eq!(part.shape.statics, ["<ul>", "</ul>"]);
        let [Dynamic::List(items, None)] = &part.dynamics[..] else {
            panic!("{part:?}")
        };
        let [Dynamic::Part(one), Dynamic::Part(two)] = &items[..] else {
            panic!("{items:?}")
        };
        assert_eq!(one.shape.statics, ["<li>", "</li>"]);
        assert_eq!(one.dynamics, [Dynamic::Text("1")]);
        assert_eq!(two.shape.statics, [" <li>", "</li>"]);
    });
}

#[test]
fn a_fingerprint_is_that_of_the_text_between_gaps() {
    assert_eq!(fingerprint("<p>1</p>"), fingerprint("<p>2</p>"));
    assert_ne!(fingerprint("<p>1</p>"), fingerprint("<b>1</b>"));
    let titled = fingerprint("<p title=a>1</p>");
    assert_ne!(titled, fingerprint("<p lang=a>1</p>"));
    // No text is mistaken for a gap.
    assert_ne!(titled, fingerprint("<p>1</p>"));
}

#[test]
fn many_siblings_have_keys() {
    let list = |items: &str| {
        with(&format!("<ul>{items}</ul>"), |part| {
            match &part.dynamics[..] {
                [Dynamic::List(_, keys)] => keys.clone(),
                _ => panic!("{part:?}"),
            }
        })
    };
    assert_eq!(list(&"<li>x</li>".repeat(15)), None);
    let keys = list(&format!(
        "{}<li id=a>y</li><li id=a>z</li>",
        "<li>x</li>".repeat(14)
    ))
    .unwrap();
    assert_eq!(
        (&keys[0], &keys[13], &keys[14], &keys[15]),
        (
            &"li 1".into(),
            &"li 14".into(),
            &"#game--a".into(),
            &"li 15".into()
        )
    );
}
