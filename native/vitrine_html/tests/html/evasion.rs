//! The XSS filter evasion cheat sheet of OWASP, and similar texts. Each text is cleaned, and `assert_safe` checks that
//! the result has only allowed tags and attributes, with harmless values.

use crate::support::clean;

#[rustfmt::skip]
const CASES: &[&str] = &[
    "<SCRIPT SRC=https://cdn.jsdelivr.net/gh/Moksh45/host-xss.rocks/index.js></SCRIPT>",
    "javascript:/*--></title></style></textarea></script></xmp><svg/onload='+/\"`/+/onmouseover=1/+/[*/[]/+alert(42);//'>",
    "<IMG SRC=\"javascript:alert('XSS');\">", "<IMG SRC=javascript:alert('XSS')>", "<IMG SRC=JaVaScRiPt:alert('XSS')>",
    "<IMG SRC=javascript:alert(&quot;XSS&quot;)>", "<IMG SRC=`javascript:alert(\"RSnake says, 'XSS'\")`>",
    "\\<a onmouseover=\"alert(document.cookie)\"\\>xxs link\\</a\\>", "<a onmouseover=alert(document.cookie)>xxs link</a>",
    "<IMG \"\"\"><SCRIPT>alert(\"XSS\")</SCRIPT>\"\\>", "<IMG SRC=javascript:alert(String.fromCharCode(88,83,83))>",
    "<IMG SRC=# onmouseover=\"alert('xxs')\">", "<IMG SRC= onmouseover=\"alert('xxs')\">", "<IMG onmouseover=\"alert('xxs')\">",
    "<IMG SRC=/ onerror=\"alert(String.fromCharCode(88,83,83))\"></img>",
    "<img src=x onerror=\"&#0000106&#0000097&#0000118&#0000097&#0000115&#0000099&#0000114&#0000105&#0000112&#0000116&#0000058&#0000097\">",
    "<IMG SRC=&#106;&#97;&#118;&#97;&#115;&#99;&#114;&#105;&#112;&#116;&#58;&#97;&#108;&#101;&#114;&#116;&#40;&#39;&#88;&#83;&#83;&#39;&#41;>",
    "<a href=\"&#0000106&#0000097&#0000118&#0000097&#0000115&#0000099&#0000114&#0000105&#0000112&#0000116&#0000058alert(1)\">x</a>",
    "<a href=&#x6A&#x61&#x76&#x61&#x73&#x63&#x72&#x69&#x70&#x74&#x3A&#x61&#x6C&#x65&#x72&#x74&#x28&#x27&#x58&#x53&#x53&#x27&#x29>x</a>",
    "<a href=\"jav\tascript:alert('XSS');\">x</a>", "<a href=\"jav&#x09;ascript:alert('XSS');\">x</a>",
    "<a href=\"jav&#x0A;ascript:alert('XSS');\">x</a>", "<a href=\"jav&#x0D;ascript:alert('XSS');\">x</a>",
    "<a href=\" &#14;  javascript:alert('XSS');\">x</a>", "<a href=\"\u{1}javascript:alert(1)\">x</a>",
    "<a href=\"java\0script:alert(1)\">x</a>", "<a href=\"data:text/html,<script>alert(1)</script>\">x</a>",
    "<a href=\"vbscript:msgbox(1)\">x</a>", "<a href=\"blob:https://example.com/x\">x</a>", "<a href=\"view-source:x\">x</a>",
    "<a href=\"https:javascript:alert(1)\">x</a>", "<a href='https://a\"onclick=alert(1)//'>x</a>",
    "<SCRIPT/XSS SRC=\"http://xss.rocks/xss.js\"></SCRIPT>", "<BODY onload!#$%&()*~+-_.,:;?@[/|\\]^`=alert(\"XSS\")>",
    "<SCRIPT/SRC=\"http://xss.rocks/xss.js\"></SCRIPT>", "<<SCRIPT>alert(\"XSS\");//\\<</SCRIPT>",
    "<SCRIPT SRC=http://xss.rocks/xss.js?< B >", "<SCRIPT SRC=//xss.rocks/.j>", "<IMG SRC=\"`<javascript:alert>`('XSS')\"",
    "\\\";alert('XSS');//", "</script><script>alert('XSS');</script>", "</TITLE><SCRIPT>alert(\"XSS\");</SCRIPT>",
    "<INPUT TYPE=\"IMAGE\" SRC=\"javascript:alert('XSS');\">", "<BODY BACKGROUND=\"javascript:alert('XSS')\">",
    "<IMG DYNSRC=\"javascript:alert('XSS')\">", "<IMG LOWSRC=\"javascript:alert('XSS')\">",
    "<STYLE>li {list-style-image: url(\"javascript:alert('XSS')\");}</STYLE><UL><LI>XSS</br>",
    "<IMG SRC='vbscript:msgbox(\"XSS\")'>", "<svg/onload=alert('XSS')>", "Set.constructor`alert\\x28document.domain\\x29",
    "<BODY ONLOAD=alert('XSS')>", "<BGSOUND SRC=\"javascript:alert('XSS');\">", "<BR SIZE=\"&{alert('XSS')}\">",
    "<LINK REL=\"stylesheet\" HREF=\"javascript:alert('XSS');\">", "<STYLE>@import'http://xss.rocks/xss.css';</STYLE>",
    "<META HTTP-EQUIV=\"Link\" Content=\"<http://xss.rocks/xss.css>; REL=stylesheet\">",
    "<STYLE>BODY{-moz-binding:url(\"http://xss.rocks/xssmoz.xml#xss\")}</STYLE>",
    "<STYLE>@im\\port'\\ja\\vasc\\ript:alert(\"XSS\")';</STYLE>", "<IMG STYLE=\"xss:expr/*XSS*/ession(alert('XSS'))\">",
    "exp/*<A STYLE='no\\xss:noxss(\"*//*\");xss:ex/*XSS*//*/*/pression(alert(\"XSS\"))'>", "<STYLE TYPE=\"text/javascript\">alert('XSS');</STYLE>",
    "<STYLE>.XSS{background-image:url(\"javascript:alert('XSS')\");}</STYLE><A CLASS=XSS></A>", "<XSS STYLE=\"xss:expression(alert('XSS'))\">",
    "<XSS STYLE=\"behavior: url(xss.htc);\">", "\u{bc}script\u{be}alert(\u{a2}XSS\u{a2})\u{bc}/script\u{be}",
    "<META HTTP-EQUIV=\"refresh\" CONTENT=\"0;url=javascript:alert('XSS');\">",
    "<META HTTP-EQUIV=\"refresh\" CONTENT=\"0;url=data:text/html base64,PHNjcmlwdD5hbGVydCgnWFNTJyk8L3NjcmlwdD4K\">",
    "<IFRAME SRC=\"javascript:alert('XSS');\"></IFRAME>", "<IFRAME SRC=# onmouseover=\"alert(document.cookie)\"></IFRAME>",
    "<FRAMESET><FRAME SRC=\"javascript:alert('XSS');\"></FRAMESET>", "<TABLE BACKGROUND=\"javascript:alert('XSS')\">",
    "<TABLE><TD BACKGROUND=\"javascript:alert('XSS')\">", "<DIV STYLE=\"background-image: url(javascript:alert('XSS'))\">",
    "<DIV STYLE=\"background-image:\\0075\\0072\\006C\\0028'\\006a\\0061\\0076\\0061\\0073\\0063\\0072\\0069\\0070\\0074\\003a'\\0029\">",
    "<DIV STYLE=\"background-image: url(\u{1}javascript:alert('XSS'))\">", "<DIV STYLE=\"width: expression(alert('XSS'));\">",
    "<!--[if gte IE 4]><SCRIPT>alert('XSS');</SCRIPT><![endif]-->", "<BASE HREF=\"javascript:alert('XSS');//\">",
    "<OBJECT TYPE=\"text/x-scriptlet\" DATA=\"http://xss.rocks/scriptlet.html\"></OBJECT>",
    "<EMBED SRC=\"data:image/svg+xml;base64,PHN2Zz4=\" type=\"image/svg+xml\" AllowScriptAccess=\"always\"></EMBED>",
    "<XML ID=\"xss\"><I><B><IMG SRC=\"javas<!-- -->cript:alert('XSS')\"></B></I></XML><SPAN DATASRC=\"#xss\" DATAFLD=\"B\"></SPAN>",
    "<?xml:namespace prefix=\"t\" ns=\"urn:schemas-microsoft-com:time\"><?import namespace=\"t\" implementation=\"#default#time2\">",
    "<SCRIPT SRC=\"http://xss.rocks/xss.jpg\"></SCRIPT>", "<!--#exec cmd=\"/bin/echo '<SCR'\"--><!--#exec cmd=\"/bin/echo 'IPT>'\"-->",
    "<? echo('<SCR)'; echo('IPT>alert(\"XSS\")</SCRIPT>'); ?>", "<SCRIPT a=\">\" SRC=\"httx://xss.rocks/xss.js\"></SCRIPT>",
    "<SCRIPT =\">\" SRC=\"x\"></SCRIPT>", "<SCRIPT \"a='>'\" SRC=\"x\"></SCRIPT>", "<SCRIPT a=`>` SRC=\"x\"></SCRIPT>",
    "<SCRIPT>document.write(\"<SCRI\");</SCRIPT>PT SRC=\"httx://xss.rocks/xss.js\"></SCRIPT>",
    "<A HREF=\"http://0x42.0x0000066.0x7.0x93/\">XSS</A>", "<A HREF=\"h\ntt\tp://6\t6.000146.0x7.147/\">XSS</A>",
    "<A HREF=\"//www.google.com/\">XSS</A>", "<A HREF=\"javascript:document.location='http://www.google.com/'\">XSS</A>",
    "<Img src = x onerror = \"javascript: window.onerror = alert; throw XSS\">", "<Video> <source onerror = \"javascript: alert (XSS)\">",
    "<Input value = \"XSS\" type = text>", "<applet code=\"javascript:confirm(document.cookie);\">", "<isindex x=\"javascript:\" onmouseover=\"alert(XSS)\">",
    "\"></SCRIPT>\u{201d}>\u{2019}><SCRIPT>alert(String.fromCharCode(88,83,83))</SCRIPT>", "<iframe src=\"http://xss.rocks/scriptlet.html\" <",
    "<input/onmouseover=\"javaSCRIPT&colon;confirm&lpar;1&rpar;\"", "<form><iframe &#09;&#10;&#11; src=\"javascript&#58;alert(1)\"&#11;&#10;&#09;;>",
    "<form><button formaction=javascript&colon;alert(1)>CLICKME", "<form><isindex formaction=\"javascript&colon;confirm(1)\"",
    "<math><a xlink:href=\"//jsfiddle.net/t846h/\">click", "<svg contentScriptType=text/vbs><script>MsgBox+1",
    "<svg><a xlink:href=\"javascript:alert(1)\"><text x=20 y=20>x</text></a></svg>", "<svg><a href=\"/logout\"><text>x</text></a></svg>",
    "<svg><animate xlink:href=#x attributeName=href values=javascript:alert(1) /><a id=x><text>x</text></a></svg>",
    "<svg><set attributeName=onmouseover to=alert(1) /></svg>", "<svg><use href=\"data:image/svg+xml,<svg id='x'/>#x\"/></svg>",
    "<svg><image href=x onerror=alert(1) /><foreignObject><iframe src=javascript:alert(1)></foreignObject></svg>",
    "<svg><style>@import 'x'</style><script>alert&lpar;1)</script></svg>", "<a href=x ping=//evil.example>x</a>",
    "<video poster=javascript:alert(1)//></video>", "<details ontoggle=alert(1) open>x</details>", "<b popover onbeforetoggle=alert(1)>x</b>",
    "<b contenteditable autofocus onfocus=alert(1) tabindex=1 accesskey=x>x</b>", "<button is=x-y slot=z part=q>x</button>",
    "<p style=\"color:red;}*{x:y\" lang=x>x</p>", "<b a='\"' b=\"'\" c=`>x", "<b/onclick=alert(1)>x</b>", "<b\u{c}onclick=alert(1)>x</b>",
    "<b onclick\u{0}=alert(1)>x</b>", "<b phx-hook=X phx-click=\"[[&quot;exec&quot;,{}]]\" data-phx-session=x>x</b>",
    "<portal src=//x></portal><fencedframe></fencedframe><object data=x></object>", "<slot><template shadowrootmode=open><script>1</script></template></slot>",
    "<dialog open style=position:fixed>x</dialog>", "</div></div></section></main></body></html><div id=x>", "<body><frameset></frameset></body>",
];

#[test]
fn nothing_evades() {
    for case in CASES {
        clean(case);
        // The text also stands within other markup, as if the page around it were in the middle of something.
        for around in [
            ("<p title=\"", "\">"),
            ("<textarea>", "</textarea>"),
            ("<svg>", "</svg>"),
            ("<table>", "</table>"),
            ("<select>", ""),
        ] {
            clean(&format!("{}{case}{}", around.0, around.1));
        }
    }
}
