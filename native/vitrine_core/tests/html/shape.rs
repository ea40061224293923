//! Documents as parts.

use vitrine_core::html::{Dynamic, Part, parse};

use crate::support::policy;

fn part(html: &str) -> Part {
    parse(html, &policy()).unwrap()
}

fn text(text: &str) -> Dynamic {
    Dynamic::Text(text.into())
}

#[test]
fn texts_and_values_are_in_the_gaps() {
    let part = part("<p class=a title=b>c</p>");
    assert_eq!(part.statics, ["<p class=\"", "\" title=\"", "\">", "</p>"]);
    assert_eq!(part.dynamics, [text("game--a"), text("b"), text("c")]);
}

#[test]
fn an_element_without_text_has_a_gap_for_it() {
    assert_eq!(part("<p></p>").fingerprint, part("<p>x</p>").fingerprint);
}

#[test]
fn an_element_alone_belongs_to_its_parent() {
    let part = part("<div>\n<p>x</p>\n</div>");
    assert_eq!(part.statics, ["<div>\n<p>", "</p>\n</div>"]);
}

#[test]
fn siblings_are_parts_of_their_own() {
    let part = part("<ul><li>1</li> <li>2</li></ul>");
    assert_eq!(part.statics, ["<ul>", "</ul>"]);
    let [Dynamic::List(items, None)] = &part.dynamics[..] else {
        panic!("{part:?}")
    };
    let [Dynamic::Part(one), Dynamic::Part(two)] = &items[..] else {
        panic!("{items:?}")
    };
    assert_eq!(
        (&one.statics[..], &one.dynamics[..]),
        (&["<li>".to_string(), "</li>".into()][..], &[text("1")][..])
    );
    assert_eq!(two.statics, [" <li>", "</li>"]);
}

#[test]
fn a_fingerprint_is_that_of_the_text_between_gaps() {
    assert_eq!(part("<p>1</p>").fingerprint, part("<p>2</p>").fingerprint);
    assert_ne!(part("<p>1</p>").fingerprint, part("<b>1</b>").fingerprint);
    assert_ne!(
        part("<p title=a>1</p>").fingerprint,
        part("<p lang=a>1</p>").fingerprint
    );
    // No text is mistaken for a gap.
    assert_ne!(
        part("<p title=a>1</p>").fingerprint,
        part("<p>1</p>").fingerprint
    );
}

#[test]
fn many_siblings_have_keys() {
    let list = |items: &str| {
        let part = part(&format!("<ul>{items}</ul>"));
        let Some(Dynamic::List(_, keys)) = part.dynamics.into_iter().next() else {
            panic!()
        };
        keys
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
