//! Allowed contents stay, and other contents go.

use vitrine_html::{Policy, check, sanitize};

use crate::support::{clean, policy};

#[test]
fn text_keeps_its_meaning() {
    assert_eq!(clean("1 < 2 && \"x\""), "1 &lt; 2 &amp;&amp; \"x\"");
    assert_eq!(clean(""), "");
    assert_eq!(clean("a&nbsp;b \u{1F3B2}"), "a&nbsp;b \u{1F3B2}");
}

#[test]
fn elements_that_are_not_allowed_leave_their_text() {
    assert_eq!(clean("<blink>a<b>b</b></blink>"), "a<b>b</b>");
    assert_eq!(clean("a<!-- b -->c"), "ac");
}

#[test]
fn scripts_styles_and_frames_go_with_what_is_in_them() {
    for element in [
        "script", "style", "iframe", "template", "object", "math", "title", "noscript", "audio",
        "canvas",
    ] {
        assert_eq!(
            clean(&format!("a<{element}>b</{element}>c")),
            "ac",
            "{element}"
        );
    }
}

#[test]
fn tables_and_forms_stay_as_they_are() {
    assert_eq!(
        clean("<table><tr><td colspan=2>1<td>2</table>"),
        r#"<table><tbody><tr><td colspan="2">1</td><td>2</td></tr></tbody></table>"#
    );
    assert_eq!(
        clean(
            "<label for=q>Q</label><input id=q name=q type=number min=1 required><select name=s><option selected>a</select>"
        ),
        r#"<label for="game--q">Q</label><input id="game--q" min="1" name="game[q]" required="" type="number"><select name="game[s]"><option selected="">a</option></select>"#
    );
}

#[test]
fn line_feeds_of_preformatted_text_stay() {
    assert_eq!(clean("<pre>\n\n\na</pre>"), "<pre>\n\n\na</pre>");
    assert_eq!(clean("<textarea>a</textarea>"), "<textarea>\na</textarea>");
}

#[test]
fn drawings_stay() {
    let drawing = "<svg viewBox='0 0 9 9'><defs><linearGradient id=g><stop offset=0 stop-color=red /></linearGradient></defs>\
                   <rect fill='url(#g)' transform='translate(-3 4)' width=3 phx-click=tap /></svg>";
    assert_eq!(
        clean(drawing),
        "<svg viewBox=\"0 0 9 9\"><defs><linearGradient id=\"game--g\"><stop offset=\"0\" stop-color=\"red\"></stop>\
         </linearGradient></defs><rect fill=\"url(#game--g)\" phx-click=\"vitrine:game:tap\" transform=\"translate(-3 4)\" \
         width=\"3\"></rect></svg>"
    );
}

#[test]
fn links_leave_for_a_page_of_their_own() {
    assert_eq!(
        clean("<a href='https://example.com/?a=1&amp;b=2'>x</a>"),
        r#"<a href="https://example.com/?a=1&amp;b=2" rel="noopener noreferrer nofollow" target="_blank">x</a>"#
    );
    assert_eq!(
        clean("<a href='#top'>x</a>"),
        r##"<a href="#game--top">x</a>"##
    );
    assert_eq!(
        clean("<a href='#' phx-click=x>x</a>"),
        r##"<a href="#" phx-click="vitrine:game:x">x</a>"##
    );
}

#[test]
fn links_into_the_host_go() {
    for link in [
        "/logout",
        "?kick=1",
        "x",
        "//evil.example",
        "",
        ".",
        "\\evil",
        "https:/\\x\0y z",
        "HTTP",
        ":",
        "https:",
    ] {
        let cleaned = clean(&format!("<a href='{link}'>x</a>"));
        assert!(
            !cleaned.contains("href") || cleaned.contains("href=\"https://"),
            "{link:?}: {cleaned}"
        );
    }
    assert_eq!(clean("<a href='/logout'>x</a>"), "<a>x</a>");
}

#[test]
fn links_to_the_hosts_own_names_are_dropped() {
    let policy = Policy {
        own_hosts: vec!["shop.example".into(), "127.0.0.1".into(), "::1".into()],
        ..policy()
    };
    for link in [
        "https://shop.example/logout",
        "http://SHOP.example./logout",
        "https://www.shop.example:4000/",
        "https://user@shop.example/",
        "https:\\\\shop.example/",
        "https://sh\u{FF4F}p.example/",
        "http://2130706433/",
    ] {
        let cleaned = sanitize(&format!("<a href='{link}'>x</a>"), &policy).unwrap();
        assert!(!cleaned.contains("href"), "{link}: {cleaned}");
    }
    for link in [
        "https://other.example/",
        "https://myshop.example/",
        "https://shop.example.evil.test/",
        "mailto:ann@shop.example",
    ] {
        let cleaned = sanitize(&format!("<a href='{link}'>x</a>"), &policy).unwrap();
        assert!(cleaned.contains("href"), "{link}: {cleaned}");
    }
}

#[test]
fn images_come_from_where_the_host_says() {
    let html = "<img alt=a src='https://cdn.example/a.png'><img src='https://evil.example/b.png'>";
    assert_eq!(
        clean(html),
        r#"<img alt="a" referrerpolicy="no-referrer"><img referrerpolicy="no-referrer">"#
    );
    let policy = Policy {
        image_hosts: vec!["cdn.example".into()],
        ..policy()
    };
    assert_eq!(
        sanitize(html, &policy).unwrap(),
        r#"<img alt="a" referrerpolicy="no-referrer" src="https://cdn.example/a.png"><img referrerpolicy="no-referrer">"#
    );
    for source in [
        "http://cdn.example/",
        "data:image/png;base64,AA",
        "/a.png",
        "https://u@cdn.example/",
        "javascript:1",
    ] {
        let cleaned = sanitize(&format!("<img src='{source}'>"), &policy).unwrap();
        assert_eq!(cleaned, r#"<img referrerpolicy="no-referrer">"#, "{source}");
    }
}

#[test]
fn forms_never_send_themselves() {
    let form = r#"<form autocomplete="off" method="dialog" phx-submit="vitrine:game:"></form>"#;
    assert_eq!(clean("<form action=/delete method=post></form>"), form);
    assert_eq!(
        clean(
            "<form phx-submit=save><button formaction=/x formmethod=post form=f>x</button></form>"
        ),
        r#"<form autocomplete="off" method="dialog" phx-submit="vitrine:game:save"><button form="game--f">x</button></form>"#
    );
}

#[test]
fn inputs_take_no_files_and_no_passwords() {
    for kind in ["file", "password", "image", "PassWord", "email", "tel", "x"] {
        assert_eq!(clean(&format!("<input type={kind}>")), "<input>", "{kind}");
    }
    assert_eq!(clean("<input type=RANGE>"), r#"<input type="range">"#);
}

#[test]
fn a_host_adds_elements_and_attributes() {
    let policy = Policy {
        tags: vec!["video".into()],
        attributes: vec![
            ("video".into(), "controls".into()),
            ("*".into(), "itemprop".into()),
        ],
        ..policy()
    };
    // The sanitiser drops some elements by itself. They stay dropped.
    assert!(check(&policy).is_err());
    let policy = Policy {
        tags: vec!["big".into()],
        attributes: vec![("big".into(), "itemid".into())],
        ..policy
    };
    assert_eq!(check(&policy), Ok(()));
    assert_eq!(
        sanitize("<big itemid=1 x=2>a</big>", &policy).unwrap(),
        r#"<big itemid="1">a</big>"#
    );
}

#[test]
fn a_host_cannot_add_what_runs() {
    for tag in [
        "script",
        "style",
        "iframe",
        "SCRIPT",
        "base",
        "svg",
        "a b",
        "",
        "math",
        "noscript",
        "foreignObject",
    ] {
        assert!(
            check(&Policy {
                tags: vec![tag.into()],
                ..policy()
            })
            .is_err(),
            "{tag}"
        );
    }
    for name in [
        "onclick",
        "OnClick",
        "phx-hook",
        "phx-click",
        "data-phx-link",
        "data-method",
        "srcdoc",
        "href",
        "is",
        "a b",
    ] {
        let attributes = vec![("*".into(), name.into())];
        assert!(
            check(&Policy {
                attributes,
                ..policy()
            })
            .is_err(),
            "{name}"
        );
    }
}
