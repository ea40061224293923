//! Documents that are made to be expensive. They are refused or cleaned in bounded time and memory. The tests show this
//! by ending: without bounds some of the documents take minutes, or all memory.

use vitrine_html::{Error, Policy, sanitize};

use crate::support::{clean, policy, refused};

#[test]
fn size_is_bounded() {
    assert_eq!(refused(&"x".repeat(256 * 1024 + 1)), Error::TooLong);
    assert_eq!(clean(&"x".repeat(10_000)).len(), 10_000);
}

#[test]
fn depth_is_bounded() {
    let nested = |n: usize| format!("{}{}", "<div>".repeat(n), "</div>".repeat(n));
    assert_eq!(clean(&nested(64)), nested(64));
    assert_eq!(refused(&nested(65)), Error::TooDeep);
    // A document that is refused for its depth is not parsed to its end.
    let policy = Policy {
        max_bytes: 16 * 1024 * 1024,
        ..policy()
    };
    for tag in ["<b>", "<div>", "<svg><g>", "<table><td>", "<b title=x>"] {
        assert_eq!(
            sanitize(&tag.repeat(1_000_000), &policy),
            Err(Error::TooDeep),
            "{tag}"
        );
    }
}

#[test]
fn elements_that_a_parser_multiplies_are_bounded() {
    let reopened: String = (0..8000).map(|i| format!("<p><b title={i}>")).collect();
    assert_eq!(refused(&reopened), Error::TooLarge);
    let often = format!(
        "{}{}",
        (0..400)
            .map(|i| format!("<b title={i}>"))
            .collect::<String>(),
        "<p>x".repeat(8000)
    );
    assert!(matches!(refused(&often), Error::TooLarge | Error::TooDeep));
    // The paragraphs multiply the formatting only when the document is parsed again, because then the element that kept
    // them from it is gone.
    let later = format!(
        "<p>{}<marquee>{}",
        (0..50)
            .map(|i| format!("<b title={i}>"))
            .collect::<String>(),
        "<p>x</p>".repeat(8000)
    );
    assert_eq!(refused(&later), Error::TooLarge);
}

#[test]
fn hostile_documents_end() {
    let pieces = [
        "<a>",
        "<a><div>",
        "<table>",
        "<table><b>x",
        "<table><div>x</div>",
        "<select><option>",
        "<p>",
        "<b><i><u><s>",
        "</span>",
        "<dd><div>",
        "<ul><li>",
        "<button>",
        "<form><div></form>",
        "<select><selectedcontent>",
        "<frameset>",
        "<template>",
        "<b><p></b>x",
        "&amp",
        "<",
        "<!--",
        "<b a=1 ",
        "<![CDATA[",
        "<p style=color:(((((((((>",
        "<p style='",
        "\0",
        "</p>",
        "<li></ul>",
        "<nobr>",
        "<ruby><rt>",
        "<svg><title>",
    ];
    for piece in pieces {
        for html in [
            piece.repeat(200 * 1024 / piece.len()),
            format!("<table>{}", piece.repeat(20_000 / piece.len())),
        ] {
            let _ = sanitize(&html, &policy());
        }
    }
}

#[test]
fn attributes_are_bounded() {
    let tag = |n: usize| {
        let attributes: String = (0..n).map(|i| format!("phx-value-{i}=1 ")).collect();
        format!("<b {attributes}>x</b>")
    };
    assert!(clean(&tag(256)).starts_with("<b phx-value-0=\"1\""));
    assert_eq!(refused(&tag(257)), Error::TooLarge);
}

/// Texts that take a parser long, although they do not become many elements, or not at once.
#[test]
fn work_is_bounded() {
    let formatting: String = (0..60).map(|i| format!("<b title={i}>")).collect();
    for (before, piece) in [
        ("", "<"),
        ("", "&lt"),
        ("<table>", "&lt"),
        ("<table>", "<svg></svg>"),
        ("<table>", "<i></i>"),
        (&*"<x>".repeat(500), "</span>"),
        (&*formatting, "<b id=a class=b style=c:d>x</b>"),
        (&*formatting, "<p a></p>"),
    ] {
        let html = format!("{before}{}", piece.repeat(250 * 1024 / piece.len()));
        assert_eq!(refused(&html), Error::TooLarge, "{before} {piece}");
    }
}

#[test]
fn documents_that_people_write_are_within_the_bounds() {
    // The document has unclosed tags and unquoted values, and is as long as a document may be.
    let loose = "<h2 id=x>Head</h2><p>Some <em>words</em>, <a href='https://a.example/'>a link</a>, <code>a < b</code> &amp more.\
                 <ul><li>One<li>Another <strong>thing</strong></ul><!-- and --><blockquote><p>Quoted</blockquote><br/>\n";
    for html in [
        loose.repeat(250 * 1024 / loose.len()),
        "It's 1 < 2 & 3 > 2. ".repeat(12_000),
        format!("<table>{}</table>", "<tr><td>1<td>2".repeat(2500)),
    ] {
        // Cleaning can make a document longer than it may be.
        assert!(sanitize(&html, &policy()).is_ok(), "{}", &html[..20]);
    }
}

#[test]
fn a_large_honest_document_is_cleaned() {
    let row = format!(
        "<tr>{}</tr>",
        "<td class='cell dead' phx-click=toggle phx-value-x=3 phx-value-y=4></td>".repeat(50)
    );
    let board = format!("<table><tbody>{}</tbody></table>", row.repeat(50));
    assert_eq!(clean(&board).matches("<td").count(), 2500);
}
