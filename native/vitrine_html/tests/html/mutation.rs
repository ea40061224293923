//! Mutation XSS: documents that are harmless as a tree, but become another tree when they are read again.

use crate::support::clean;

#[rustfmt::skip]
const CASES: &[&str] = &[
    "<math><mtext><table><mglyph><style><!--</style><img title=\"--&gt;&lt;img src=1 onerror=alert(1)&gt;\">",
    "<form><math><mtext></form><form><mglyph><svg><mtext><textarea><path id=\"</textarea><img onerror=alert(1) src=1>\">",
    "<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    "<svg></p><style><a id=\"</style><img src=1 onerror=alert(1)>\">", "<svg><p><style><a title=\"</style><img src onerror=alert(1)>\"></style></p></svg>",
    "<math></p><style><!--</style><img src/onerror=alert(1)>", "<svg><desc><noscript><style></noscript><img src onerror=alert(1)>",
    "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\">", "<template><p title=\"</template><img src=x onerror=alert(1)>\">",
    "<svg><iframe><a title=\"</iframe><img src onerror=alert(1)>\">test", "<svg><title><a id=\"</title><img src=x onerror=alert(1)>\"></title></svg>",
    "<svg><annotation-xml><foreignobject><style><!--</style><p id=\"--><img src=x onerror=alert(1)>\">",
    "<math><annotation-xml encoding=\"text/html\"><style><img src=x onerror=alert(1)></style></annotation-xml></math>",
    "<xmp><p title=\"</xmp><img src=x onerror=alert(1)>\">", "<noembed><p title=\"</noembed><img src=x onerror=alert(1)>\">",
    "<noframes><p title=\"</noframes><img src=x onerror=alert(1)>\">", "<plaintext><img src=x onerror=alert(1)>",
    "<textarea><p title=\"</textarea><img src=x onerror=alert(1)>\">", "<select><style></select><img src=x onerror=alert(1)></style>",
    "<select><template><style><!--</style><a rel=\"--></style></template></select><img src onerror=alert(1)>\">",
    "<!--><img src=x onerror=alert(1)>-->", "<!--!><img src=x onerror=alert(1)>-->", "<!-- --!><img src=x onerror=alert(1)>", "<!---!><b>x</b>-->",
    "<![CDATA[<img src=x onerror=alert(1)>]]>", "<svg><![CDATA[><img src=x onerror=alert(1)>]]></svg>", "<?x <img src=x onerror=alert(1)> ?>",
    "<p><svg><b>x</b></svg>", "<svg><font color=x><script>1</script></font></svg>", "<svg><rect><p>x</p></rect></svg>",
    "<a><div><a>x</a></div></a>", "<a href=https://a><table><a href=https://b>", "<table><a><tr><td><a>x", "<b><p></b>x</p>", "<b><i><p></b>x</i></p>",
    "<form><div></form><form><input name=parentNode></form></div>", "<button><p><button>x", "<p><button><p>x</p></button></p>",
    "<p><object><p>x</p></object></p>", "<h1><h2>x</h1></h2>", "<li><li><li>", "<dd><dt><dd>", "<option><option><optgroup><option>",
    "<table>a<b>b<tr>c<td>d</table>e", "<table><caption><td>x", "<table><colgroup><div>x", "<table><form><input></form><input type=hidden></table>",
    "<table><table><td><table>x", "<td>x</td>", "<tr><td>x", "<caption>x", "<col>", "<tbody>x", "<select><div><option>x</div></select>",
    "<select><input><select>", "<select><hr><button><p>x</select>", "<select><table><tr><td>x</select>", "<select><button><selectedcontent></button><option>x</select>",
    "<ruby><rb>a<rt>b<rp>c", "<nobr><nobr>x", "<pre>\n\n<b>\n</b></pre>", "<textarea>\n\n</textarea>", "<listing>\n\nx</listing>",
    "&lt;img src=x onerror=alert(1)&gt;", "&amp;lt;img src=x onerror=alert(1)&amp;gt;", "&#60;script&#62;", "&#0;&#13;&#128;&#x110000;&notit;",
    "<b title='&lt;/b&gt;&lt;script&gt;'>x</b>", "<b title='--&gt;&lt;img src=x&gt;'>x</b>", "<b title=\"&quot; onclick=x\">x</b>", "<b title=`a` lang='&#96;'>x",
    "</p>", "</br>", "</form></form>", "</b></i></div>", "<p></b></i></div>", "<b><div></b></div>", "<svg></div></svg>", "<svg></p></svg>", "<svg></br></svg>",
    "<a><svg><a><text><a>x", "<svg><text><svg><g></text></g></svg>", "<svg><defs><svg><rect></svg></defs>", "<svg/><rect/>x",
    "<image src=x>", "<isindex>", "<keygen>", "<menuitem>x", "<frame>", "<head><body><html id=x>", "<svg><html><body></svg>",
    "a\rb\r\nc\u{0}d\u{c}e", "\u{feff}x", "<pre>\r\n\r\nx</pre>", "<b\u{0}>x</b\u{0}>", "<b \u{0}title=x>y",
];

#[test]
fn cleaned_documents_stay_as_they_are() {
    for case in CASES {
        clean(case);
    }
}

#[test]
fn cleaned_documents_of_two_cases_stay_as_they_are() {
    for outer in CASES {
        for inner in CASES.iter().step_by(7) {
            clean(&format!("{outer}{inner}"));
        }
    }
}
