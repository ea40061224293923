//! CSS of `style` attributes.

use vitrine_html::{Policy, sanitize};

use crate::support::{clean, policy};

fn style(css: &str) -> String {
    let cleaned = clean(&format!("<p style=\"{}\">", css.replace('"', "&quot;")));
    let inside = cleaned
        .strip_prefix("<p")
        .unwrap()
        .strip_suffix("></p>")
        .unwrap();
    inside
        .strip_prefix(" style=\"")
        .map_or("", |css| css.strip_suffix('"').unwrap())
        .into()
}

#[test]
fn properties_of_appearance_are_kept() {
    assert_eq!(
        style("color: RED; margin:0 auto"),
        "color:RED;margin:0 auto"
    );
    assert_eq!(
        style("grid-template-columns:repeat(3, minmax(0, 1fr))"),
        "grid-template-columns:repeat(3, minmax(0, 1fr))"
    );
    assert_eq!(
        style("background:linear-gradient(90deg, #fff 10%, rgb(0 0 0 / 50%))"),
        "background:linear-gradient(90deg, #fff 10%, rgb(0 0 0 / 50%))"
    );
    assert_eq!(style("color:var(--accent)"), "color:var(--accent)");
    assert_eq!(
        style("font-family:'A B', serif"),
        "font-family:&quot;A B&quot;, serif"
    );
    assert_eq!(style("width:10px!important"), "width:10px");
}

#[test]
fn declarations_that_reach_out_or_are_invalid_are_dropped() {
    for css in [
        "position:fixed",
        "position:absolute",
        "z-index:9",
        "top:0",
        "transform:scale(9)",
        "margin:-10px",
        "margin:calc(0px - 9px)",
        "box-shadow:0 0 0 99px red",
        "outline:1px solid",
        "content:'x'",
        "background:url(https://evil.example)",
        "background:url('https://evil.example')",
        "background:URL(x)",
        "background:u\\72l(https://evil.example)",
        "background:image-set('https://evil.example' 1x)",
        "background:image-set(url(https://evil.example) 1x)",
        "list-style-image:url(x)",
        "behavior:url(x)",
        "-moz-binding:url(x)",
        "width:expression(alert(1))",
        "color:attr(data-x)",
        "background:element(#x)",
        "background:paint(x)",
        "animation:x 1s",
        "--x:url(x)",
        "all:unset",
        "color:red\\9",
        "color:</style>",
        "font-family:'</style>'",
        "color:{x:y}",
        "color:[x]",
        "@import 'x'",
        "color:red}body{color:blue",
        "view-transition-name:x",
        "color:calc(1)",
        "width:1e999px",
        "color:",
        ":red",
        "color",
    ] {
        assert_eq!(style(css), "", "{css}");
    }
}

#[test]
fn an_invalid_declaration_hides_nothing_behind_it() {
    assert_eq!(style("position:fixed;color:red"), "color:red");
    assert_eq!(style("x y:(a;b);color:red"), "color:red");
    assert_eq!(style("color:'a;b;\nwidth:1px"), "");
    assert_eq!(style("/*;*/color:/**/red/*"), "color:red");
}

#[test]
fn more_is_allowed_where_it_is_contained() {
    let contained = Policy {
        contained: true,
        ..policy()
    };
    let html =
        "<p style='position:absolute;left:-3px;transform:translate(calc(-1 * (2px + 3%)), 1px)'>";
    assert_eq!(
        sanitize(html, &contained).unwrap(),
        r#"<p style="position:absolute;left:-3px;transform:translate(calc(-1 * (2px + 3%)), 1px)"></p>"#
    );
    for css in [
        "position:fixed",
        "position:sticky",
        "position:var(--x, fixed)",
        "position:FIXED",
    ] {
        assert_eq!(
            sanitize(&format!("<p style='{css}'>"), &contained).unwrap(),
            "<p></p>",
            "{css}"
        );
    }
}

#[test]
fn a_host_adds_properties() {
    let policy = Policy {
        properties: vec!["scroll-snap-type".into()],
        ..policy()
    };
    assert_eq!(
        sanitize("<p style='scroll-snap-type:x'>", &policy).unwrap(),
        r#"<p style="scroll-snap-type:x"></p>"#
    );
}

#[test]
fn brackets_are_bounded() {
    assert_eq!(
        style(&format!(
            "color:{}{}",
            "rgb(".repeat(10_000),
            ")".repeat(10_000)
        )),
        ""
    );
}

#[test]
fn attributes_of_drawings_refer_to_the_drawing_only() {
    for fill in [
        "url(https://evil.example/#a)",
        "u\\72l(https://evil.example)",
        "url(#a) url(x)",
        "url(#a b)",
        "url('#\"')",
        "image(x)",
    ] {
        assert_eq!(
            clean(&format!(
                "<svg><rect fill=\"{}\"/></svg>",
                fill.replace('"', "&quot;")
            )),
            "<svg><rect></rect></svg>",
            "{fill}"
        );
    }
}
