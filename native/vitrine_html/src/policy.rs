//! The contents of a document that may stay: allow-lists, and what a host adds to them.

/// The additions of a host to the allow-lists.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// The namespace that ids, classes, names and events are put into. The embedder has checked that it consists of
    /// letters and digits, with single hyphens and underscores between them.
    pub namespace: String,
    /// Events that are kept, without `phx-`.
    pub events: Vec<String>,
    /// The value of `phx-target` on each element with an event.
    pub target: Option<String>,
    /// The host's own classes, which stay as they are.
    pub classes: Vec<String>,
    /// Elements that the host adds.
    pub tags: Vec<String>,
    /// Attributes that the host adds to an element or, with `*`, to all elements.
    pub attributes: Vec<(String, String)>,
    /// Schemes of links.
    pub schemes: Vec<String>,
    /// Hosts that images may come from; `*` is any.
    pub image_hosts: Vec<String>,
    /// Hosts that no link leads to, with the names below theirs, in lower case.
    pub own_hosts: Vec<String>,
    /// CSS properties that the host adds.
    pub properties: Vec<String>,
    /// Whether the element around the document contains what it paints, see [`super::css`].
    pub contained: bool,
    /// The largest document, in bytes.
    pub max_bytes: usize,
    /// The deepest element.
    pub max_depth: usize,
}

impl Policy {
    /// Returns true if a sanitiser for one policy also serves the other. The fields that are not compared matter only
    /// before and after the sanitiser runs.
    pub(super) fn same_rules(&self, other: &Policy) -> bool {
        self.namespace == other.namespace
            && self.events == other.events
            && self.classes == other.classes
            && self.tags == other.tags
            && self.attributes == other.attributes
            && self.schemes == other.schemes
            && self.image_hosts == other.image_hosts
            && self.own_hosts == other.own_hosts
            && self.properties == other.properties
            && self.contained == other.contained
    }
}

/// Elements of HTML. None of them has raw text in it, and none changes how the text after it is parsed.
#[rustfmt::skip]
pub const TAGS: &[&str] = &[
    "a", "abbr", "article", "aside", "b", "bdi", "bdo", "blockquote", "br", "button", "caption",
    "cite", "code", "col", "colgroup", "data", "datalist", "dd", "del", "details", "dfn", "div",
    "dl", "dt", "em", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4",
    "h5", "h6", "header", "hgroup", "hr", "i", "img", "input", "ins", "kbd", "label", "legend",
    "li", "main", "mark", "menu", "meter", "nav", "ol", "optgroup", "option", "output", "p", "pre",
    "progress", "q", "rp", "rt", "ruby", "s", "samp", "section", "select", "small", "span",
    "strong", "sub", "summary", "sup", "table", "tbody", "td", "textarea", "tfoot", "th", "thead",
    "time", "tr", "u", "ul", "var", "wbr",
];

/// Elements of SVG, for drawings: nothing that holds HTML, refers to elsewhere or changes by itself.
#[rustfmt::skip]
pub const SVG_TAGS: &[&str] = &[
    "svg", "g", "path", "circle", "ellipse", "line", "rect", "polyline", "polygon", "text",
    "tspan", "defs", "linearGradient", "radialGradient", "stop", "clipPath",
];

/// Elements that are dropped with their contents. Other elements that are not allowed leave their contents.
#[rustfmt::skip]
pub const DROPPED: &[&str] = &[
    "script", "style", "template", "noscript", "iframe", "noframes", "noembed", "object", "embed",
    "applet", "frame", "frameset", "title", "xmp", "plaintext", "listing", "audio", "video",
    "canvas", "math", "foreignObject", "use", "image", "animate", "animateMotion",
    "animateTransform", "animateColor", "set", "filter", "mask", "marker", "pattern",
];

/// Elements that no host can add: their contents are not markup, or are executed.
pub const FORBIDDEN: &[&str] = &[
    "html",
    "head",
    "body",
    "base",
    "link",
    "meta",
    "param",
    "source",
    "track",
    "portal",
    "slot",
    "dialog",
    "svg",
    "selectedcontent",
    "annotation-xml",
    "mi",
    "mo",
    "mn",
    "ms",
    "mtext",
    "mglyph",
    "malignmark",
    "desc",
    "metadata",
];

/// Attributes of all elements.
#[rustfmt::skip]
pub const GENERIC: &[&str] = &[
    "id", "class", "style", "title", "lang", "dir", "role", "tabindex", "hidden", "phx-key",
    "phx-debounce", "phx-throttle",
];

/// Beginnings of attributes of all elements.
pub const PREFIXES: &[&str] = &["aria-", "phx-value-"];

/// Attributes of some elements.
#[rustfmt::skip]
pub const ATTRIBUTES: &[(&str, &[&str])] = &[
    ("a", &["href"]),
    ("button", &["disabled", "form", "name", "type", "value"]),
    ("col", &["span"]),
    ("colgroup", &["span"]),
    ("data", &["value"]),
    ("del", &["datetime"]),
    ("details", &["open"]),
    ("fieldset", &["disabled", "form", "name"]),
    ("img", &["alt", "height", "src", "width"]),
    ("input", &[
        "checked", "disabled", "form", "inputmode", "list", "max", "maxlength", "min", "minlength",
        "multiple", "name", "placeholder", "readonly", "required", "size", "step", "type", "value",
    ]),
    ("ins", &["datetime"]),
    ("label", &["for"]),
    ("li", &["value"]),
    ("meter", &["high", "low", "max", "min", "optimum", "value"]),
    ("ol", &["reversed", "start", "type"]),
    ("optgroup", &["disabled", "label"]),
    ("option", &["disabled", "label", "selected", "value"]),
    ("output", &["for", "form", "name"]),
    ("progress", &["max", "value"]),
    ("select", &["disabled", "form", "multiple", "name", "required", "size"]),
    ("td", &["colspan", "headers", "rowspan"]),
    ("textarea", &[
        "cols", "disabled", "form", "maxlength", "minlength", "name", "placeholder", "readonly",
        "required", "rows", "wrap",
    ]),
    ("th", &["abbr", "colspan", "headers", "rowspan", "scope"]),
    ("time", &["datetime"]),
    ("svg", &["height", "preserveAspectRatio", "viewBox", "width"]),
    ("path", &["d", "pathLength"]),
    ("circle", &["cx", "cy", "r"]),
    ("ellipse", &["cx", "cy", "rx", "ry"]),
    ("line", &["x1", "x2", "y1", "y2"]),
    ("rect", &["height", "rx", "ry", "width", "x", "y"]),
    ("polyline", &["points"]),
    ("polygon", &["points"]),
    ("text", &["dx", "dy", "lengthAdjust", "rotate", "textLength", "x", "y"]),
    ("tspan", &["dx", "dy", "lengthAdjust", "rotate", "textLength", "x", "y"]),
    ("linearGradient", &[
        "gradientTransform", "gradientUnits", "spreadMethod", "x1", "x2", "y1", "y2",
    ]),
    ("radialGradient", &[
        "cx", "cy", "fr", "fx", "fy", "gradientTransform", "gradientUnits", "r", "spreadMethod",
    ]),
    ("stop", &["offset"]),
    ("clipPath", &["clipPathUnits"]),
];

/// Attributes of all elements of SVG whose values are CSS.
#[rustfmt::skip]
pub const PRESENTATION: &[&str] = &[
    "clip-path", "clip-rule", "color", "display", "dominant-baseline", "fill", "fill-opacity",
    "fill-rule", "font-family", "font-size", "font-style", "font-weight", "letter-spacing",
    "opacity", "shape-rendering", "stop-color", "stop-opacity", "stroke", "stroke-dasharray",
    "stroke-dashoffset", "stroke-linecap", "stroke-linejoin", "stroke-miterlimit",
    "stroke-opacity", "stroke-width", "text-anchor", "text-decoration", "transform",
    "vector-effect", "visibility",
];

/// Kinds of inputs: none that takes files or passwords, or that a browser fills in by itself.
#[rustfmt::skip]
pub const INPUT_TYPES: &[&str] = &[
    "button", "checkbox", "color", "date", "datetime-local", "hidden", "month", "number", "radio",
    "range", "reset", "search", "submit", "text", "time", "week",
];

/// Whether an attribute can never be allowed, because scripts of the page or of the browser act
/// on it.
pub fn is_reserved(attribute: &str) -> bool {
    let name = attribute.to_ascii_lowercase();
    let reserved = [
        "on",
        "phx-",
        "data-phx",
        "data-method",
        "data-to",
        "data-csrf",
        "xmlns",
        "xlink",
    ];
    reserved.iter().any(|prefix| name.starts_with(prefix))
        || matches!(
            name.as_str(),
            "action"
                | "autofocus"
                | "background"
                | "content"
                | "contenteditable"
                | "form"
                | "formaction"
                | "formmethod"
                | "formtarget"
                | "href"
                | "http-equiv"
                | "is"
                | "manifest"
                | "method"
                | "name"
                | "ping"
                | "popover"
                | "popovertarget"
                | "poster"
                | "rel"
                | "slot"
                | "src"
                | "srcdoc"
                | "srcset"
                | "target"
                | "usemap"
        )
}
