//! Random documents of hostile pieces.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use vitrine_html::{Error, sanitize};

use crate::support::{assert_safe, policy};

#[rustfmt::skip]
const PIECES: &[&str] = &[
    "<", ">", "\"", "'", "`", "=", "/", " ", "\n", "\t", "\u{c}", "\0", "&", "&lt;", "&quot;", "&#x3c;", "&#10;", "<!--", "-->", "--!>", "<![CDATA[",
    "]]>", "<?", "<!", "</", "x", "alert(1)", "javascript:", "data:,", "https://a/", "#a", ";", ":", "{", "}", "(", ")", "url(", "\\", "*/", "/*",
    "<b>", "</b>", "<i>", "</i>", "<a href=https://a>", "<a>", "</a>", "<p>", "</p>", "<div>", "</div>", "<div id=a class='b c'>", "<br>", "</br>",
    "<table>", "</table>", "<tr>", "</tr>", "<td>", "</td>", "<th>", "<tbody>", "<caption>", "</caption>", "<col>", "<colgroup>", "<select>", "</select>",
    "<option>", "<optgroup>", "<button>", "</button>", "<form>", "</form>", "<form phx-submit=x>", "<input name=a>", "<textarea>", "</textarea>", "<pre>",
    "</pre>", "<pre>\n", "<ul>", "</ul>", "<li>", "<h1>", "</h1>", "<h2>", "<hr>", "<img src=x onerror=alert(1)>", "<svg>", "</svg>", "<g>", "<path d=M0>",
    "<text>", "</text>", "<title>", "</title>", "<desc>", "<foreignObject>", "</foreignObject>", "<math>", "</math>", "<mtext>", "<mglyph>", "<malignmark>",
    "<annotation-xml encoding=text/html>", "<mi>", "<style>", "</style>", "<script>", "</script>", "<noscript>", "</noscript>", "<template>", "</template>",
    "<iframe>", "</iframe>", "<object>", "</object>", "<marquee>", "<xmp>", "</xmp>", "<plaintext>", "<frameset>", "<body onload=x>", "</body>", "</html>",
    "<font color=x>", "</font>", "<s>", "</s>", "<u>", "<nobr>", "<code>", "<em>", "<main>", "<section>", "<details open>", "<summary>", "<fieldset>",
    "<label for=a>", "<dl>", "<dd>", "<dt>", "<ruby>", "<rt>", "<selectedcontent>", "<b title=\"", "<p style='", "<rect fill=\"url(#a)\" style='color:red'>",
    "<b phx-click=move phx-value-a=1 title='<'>", "<b onclick=x style=color:red>", "<circle r=1 />", "<use href=#a>", "<animate>", "<image href=x>",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_cleaned_is_safe(pieces in vec(select(PIECES), 0..40)) {
        let html = pieces.concat();
        match sanitize(&html, &policy()) {
            Ok(cleaned) => assert_safe(&html, &cleaned),
            // Such a refusal is rare, and a refused document is safe.
            Err(e) => prop_assert_eq!(e, Error::Unstable),
        }
    }

    #[test]
    fn any_text_is_safe(html in "\\PC{0,80}") {
        assert_safe(&html, &sanitize(&html, &policy()).unwrap());
    }
}

/// The number of refused documents tells whether documents of people could be refused.
#[test]
fn few_are_refused() {
    let mut seed = 0x2545_F491_4F6C_DD1D_u64;
    let mut next = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let refused = (0..2000)
        .filter(|_| {
            let html: String = (0..30)
                .map(|_| PIECES[(next() % PIECES.len() as u64) as usize])
                .collect();
            sanitize(&html, &policy()).is_err()
        })
        .count();
    assert!(refused < 20, "{refused} of 2000");
}
