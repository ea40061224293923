//! Documents as parts.

use vitrine_html::{Dynamic, Part, parse};

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
fn attributes_that_say_what_an_element_is_belong_to_its_shape() {
    let html = |event: &str| {
        format!("<button type=button role=switch phx-click={event} title=a>b</button>")
    };
    with(&html("move"), |part| {
        let tag = r#"<button phx-click="vitrine:game:move" role="switch" title=""#;
        assert_eq!(
            part.shape.statics,
            [tag, r#"" type="button">"#, "</button>"]
        );
        assert_eq!(part.dynamics, ["a", "b"].map(Dynamic::Text));
    });
    assert_ne!(fingerprint(&html("move")), fingerprint(&html("stay")));
    // A value that would end its quotes is written as it is in any tag.
    let quotes = statics(r#"<p role='"><b>'>x</p>"#);
    assert_eq!(quotes, [r#"<p role="&quot;&gt;&lt;b&gt;">"#, "</p>"]);
}

/// The lists of a document, from the outside: whether their items are roots.
fn roots(html: &str) -> Vec<bool> {
    fn lists(part: &Part<'_>, found: &mut Vec<bool>) {
        for dynamic in &part.dynamics {
            if let Dynamic::List(list) = dynamic {
                found.push(list.roots);
                for item in &list.items {
                    if let Dynamic::Part(part) = item {
                        lists(part, found);
                    }
                }
            }
        }
    }
    with(html, |part| {
        let mut found = Vec::new();
        lists(part, &mut found);
        found
    })
}

#[test]
fn elements_of_a_small_document_are_not_roots() {
    let small = format!("<div>{}</div>", "<p>x</p>".repeat(31));
    assert_eq!(roots(&small), [false]);
    let larger = format!("<div>{}</div>", "<p>x</p>".repeat(32));
    assert_eq!(roots(&larger), [true]);
}

#[test]
fn elements_are_roots_in_pieces() {
    let row = |cells| format!("<div>{}</div>", "<b>x</b>".repeat(cells));
    // Rows are found to have nothing new in them, and cells are only compared.
    let rows = format!("<div>{}</div>", row(4).repeat(8));
    assert_eq!(roots(&rows), [&[true][..], &[false; 8]].concat());
    // Rows that are long have pieces of their own.
    let long = format!("<div>{}{}</div>", row(4), row(40));
    assert_eq!(roots(&long), [true, false, true]);
    // Each piece is counted alone.
    let after = format!("<div>{}{}</div>", row(40), row(4));
    assert_eq!(roots(&after), [true, true, false]);
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
        let [Dynamic::List(list)] = &part.dynamics[..] else {
            panic!("{part:?}")
        };
        assert_eq!((&list.keys, list.roots), (&None, false));
        let [Dynamic::Part(one), Dynamic::Part(two)] = &list.items[..] else {
            panic!("{list:?}")
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
                [Dynamic::List(list)] => list.keys.clone(),
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
