//! Names in a document are put into the plugin's own namespace.

use vitrine_html::{EVENTS, Policy, sanitize};

use crate::support::{clean, policy};

#[test]
fn ids_classes_and_references_are_prefixed() {
    assert_eq!(
        clean("<p id=a class='b c' aria-labelledby='d e'>x"),
        r#"<p aria-labelledby="game--d game--e" class="game--b game--c" id="game--a">x</p>"#
    );
}

#[test]
fn classes_of_the_host_stay() {
    let policy = Policy {
        classes: vec!["btn".into()],
        ..policy()
    };
    assert_eq!(
        sanitize("<p class='btn x'>", &policy).unwrap(),
        r#"<p class="btn game--x"></p>"#
    );
}

#[test]
fn names_of_fields_are_put_into_the_namespace() {
    let names = [
        ("title", "game[title]"),
        ("nextSibling", "game[nextSibling]"),
        ("_csrf_token", "game[_csrf_token]"),
        ("tags[]", "game[tags][]"),
        ("a[b][c]", "game[a][b][c]"),
        ("game[x]", "game[x]"),
    ];
    for (name, expected) in names {
        assert_eq!(
            clean(&format!("<input name='{name}'>")),
            format!(r#"<input name="{expected}">"#)
        );
    }
    for name in ["", "[a]", "a]b"] {
        assert_eq!(clean(&format!("<input name='{name}'>")), "<input>");
    }
    assert_eq!(
        clean("<img name=cookie><a name=x>y</a>"),
        r#"<img referrerpolicy="no-referrer"><a>y</a>"#
    );
}

#[test]
fn events_are_the_plugins() {
    for (event, attribute) in EVENTS {
        let html = format!("<b {attribute}=start_game>x</b>");
        assert_eq!(
            clean(&html),
            format!(r#"<b {attribute}="vitrine:game:start_game">x</b>"#)
        );
        let none = Policy {
            events: Vec::new(),
            ..policy()
        };
        assert_eq!(sanitize(&html, &none).unwrap(), "<b>x</b>", "{event}");
    }
}

#[test]
fn commands_of_live_view_become_names() {
    for command in [
        r#"[["push",{"event":"start_game"}]]"#,
        r#"[["exec",["x"]]]"#,
        r#" [["navigate",{"href":"/"}]]"#,
    ] {
        let cleaned = clean(&format!("<b phx-click='{command}'>x</b>"));
        assert!(
            cleaned.starts_with(r#"<b phx-click="vitrine:game:"#),
            "{cleaned}"
        );
    }
    assert_eq!(clean("<b phx-click=''>x</b>"), "<b>x</b>");
    assert_eq!(
        clean(&format!("<b phx-click='{}'>x</b>", "x".repeat(257))),
        "<b>x</b>"
    );
}

#[test]
fn another_plugins_names_are_names_of_this_one() {
    assert_eq!(
        clean("<b id=other--x class=other--y phx-click=vitrine:other:z>x</b>"),
        r#"<b class="game--other--y" id="game--other--x" phx-click="vitrine:game:vitrine:other:z">x</b>"#
    );
}

#[test]
fn other_attributes_that_live_view_and_phoenix_act_on_go() {
    for attribute in [
        "phx-hook",
        "phx-mounted",
        "phx-remove",
        "phx-update",
        "phx-target",
        "phx-viewport-top",
        "phx-connected",
        "phx-disconnected",
        "phx-track-static",
        "phx-auto-recover",
        "phx-trigger-action",
        "phx-drop-target",
        "phx-disable-with",
        "phx-feedback-for",
        "phx-portal",
        "phx-no-format",
        "phx-page-loading",
        "phx-runtime-hook",
        "data-phx-link",
        "data-phx-main",
        "data-phx-session",
        "data-phx-component",
        "data-phx-ref",
        "data-phx-skip",
        "data-phx-hook",
        "data-method",
        "data-to",
        "data-csrf",
        "data-confirm",
        "phx-",
        "phx-x",
        "PHX-HOOK",
        "data-x",
    ] {
        assert_eq!(
            clean(&format!("<b {attribute}=x>y</b>")),
            "<b>y</b>",
            "{attribute}"
        );
    }
}

#[test]
fn values_and_rates_of_events_stay() {
    assert_eq!(
        clean(
            "<b phx-click=x phx-value-cell='<4>' phx-debounce=200 phx-throttle=blur phx-key=Enter>y</b>"
        ),
        r#"<b phx-click="vitrine:game:x" phx-debounce="200" phx-key="Enter" phx-throttle="blur" phx-value-cell="&lt;4&gt;">y</b>"#
    );
    assert_eq!(
        clean("<b phx-debounce=x phx-throttle=999999>y</b>"),
        "<b>y</b>"
    );
}

#[test]
fn a_target_is_only_where_events_are() {
    let policy = Policy {
        target: Some("#a\"b".into()),
        ..policy()
    };
    assert_eq!(
        sanitize("<p phx-target=3><b phx-click=x>y</b></p>", &policy).unwrap(),
        r##"<p><b phx-click="vitrine:game:x" phx-target="#a&quot;b">y</b></p>"##
    );
}

#[test]
fn names_of_attributes_are_plain() {
    for name in [
        "phx-value-<img",
        "phx-value-\"x",
        "phx-value-'",
        "phx-value-é",
        "aria-`",
    ] {
        assert_eq!(clean(&format!("<b {name}=x>y</b>")), "<b>y</b>", "{name}");
    }
}
