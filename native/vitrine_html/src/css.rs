//! Filters values of CSS: those of the `style` attribute, and those of SVG's attributes that are CSS.
//!
//! A value that is kept is written anew from its tokens, so no escape or comment means something else to another
//! parser. Nothing in it refers to another place, except `url(#id)` in drawings.
//!
//! CSS can paint outside of its element. Where the host's element does not contain that (`contain: content` does),
//! properties that move or enlarge the painted area are left out, and so are negative lengths.

use cssparser::{Parser, ToCss, Token, parse_important};

/// The context of a value, and the permissions that it gives.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    pub id_prefix: &'a str,
    pub contained: bool,
    pub properties: &'a [String],
}

/// The properties that are always allowed, in order.
#[rustfmt::skip]
const PROPERTIES: &[&str] = &[
    "align-content", "align-items", "align-self", "aspect-ratio", "background",
    "background-clip", "background-color", "background-image", "background-origin",
    "background-position", "background-repeat", "background-size", "border", "border-bottom",
    "border-bottom-color", "border-bottom-left-radius", "border-bottom-right-radius",
    "border-bottom-style", "border-bottom-width", "border-collapse", "border-color", "border-left",
    "border-left-color", "border-left-style", "border-left-width", "border-radius", "border-right",
    "border-right-color", "border-right-style", "border-right-width", "border-spacing",
    "border-style", "border-top", "border-top-color", "border-top-left-radius",
    "border-top-right-radius", "border-top-style", "border-top-width", "border-width",
    "box-sizing", "caption-side", "color", "column-gap", "cursor", "display", "empty-cells", "fill",
    "fill-opacity", "flex", "flex-basis", "flex-direction", "flex-flow", "flex-grow", "flex-shrink",
    "flex-wrap", "font", "font-family", "font-size", "font-style", "font-variant",
    "font-variant-numeric", "font-weight", "gap", "grid", "grid-area", "grid-auto-columns",
    "grid-auto-flow", "grid-auto-rows", "grid-column", "grid-column-end", "grid-column-start",
    "grid-row", "grid-row-end", "grid-row-start", "grid-template", "grid-template-areas",
    "grid-template-columns", "grid-template-rows", "height", "justify-content", "justify-items",
    "justify-self", "letter-spacing", "line-height", "list-style-position", "list-style-type",
    "margin", "margin-bottom", "margin-left", "margin-right", "margin-top", "max-height",
    "max-width", "min-height", "min-width", "object-fit", "opacity", "order", "overflow",
    "overflow-wrap", "overflow-x", "overflow-y", "padding", "padding-bottom", "padding-left",
    "padding-right", "padding-top", "place-content", "place-items", "place-self", "row-gap",
    "stroke", "stroke-dasharray", "stroke-linecap", "stroke-linejoin", "stroke-opacity",
    "stroke-width", "table-layout", "text-align", "text-decoration", "text-indent",
    "text-overflow", "text-transform", "user-select", "vertical-align", "visibility",
    "white-space", "width", "word-break", "word-spacing",
];

/// The properties that are allowed only where the host's element contains their effects.
#[rustfmt::skip]
const CONTAINED_PROPERTIES: &[&str] = &[
    "bottom", "box-shadow", "filter", "inset", "left", "outline", "outline-color",
    "outline-offset", "outline-style", "outline-width", "position", "right", "rotate", "scale",
    "text-shadow", "top", "transform", "transform-origin", "transition", "translate", "z-index",
];

#[rustfmt::skip]
const FUNCTIONS: &[&str] = &[
    "rgb", "rgba", "hsl", "hsla", "hwb", "lab", "lch", "oklab", "oklch", "color-mix", "light-dark",
    "linear-gradient", "radial-gradient", "conic-gradient", "repeating-linear-gradient",
    "repeating-radial-gradient", "repeating-conic-gradient", "repeat", "minmax", "fit-content",
    "var",
];

/// Functions that can make a negative length of other lengths, or move the painted area.
#[rustfmt::skip]
const CONTAINED_FUNCTIONS: &[&str] = &[
    "calc", "min", "max", "clamp", "translate", "translatex", "translatey", "rotate", "scale",
    "scalex", "scaley", "skew", "skewx", "skewy", "matrix", "blur", "brightness", "contrast",
    "drop-shadow", "grayscale", "hue-rotate", "invert", "saturate", "sepia", "cubic-bezier",
    "steps",
];

/// The deepest nesting of brackets in a value.
const DEPTH: usize = 8;

/// The error of a value that is dropped. Why it is dropped does not matter.
struct Refused;

/// The declarations of a `style` attribute that may stay.
pub fn declarations(text: &str, context: Context<'_>) -> String {
    let mut kept = String::new();
    // A declaration ends at a semicolon outside of brackets and strings. The parser knows which semicolons those are.
    let mut parser = Parser::new(text);
    while !parser.is_exhausted() {
        let declaration = parser.parse_until_after(cssparser::Delimiter::Semicolon, |input| {
            let declaration = declaration(input, context);
            while input.next().is_ok() {}
            Ok::<_, cssparser::ParseError<()>>(declaration)
        });
        if let Ok(Ok((name, value))) = declaration {
            if !kept.is_empty() {
                kept.push(';');
            }
            kept.push_str(&name);
            kept.push(':');
            kept.push_str(&value);
        }
    }
    kept
}

fn declaration(input: &mut Parser<'_>, context: Context<'_>) -> Result<(String, String), Refused> {
    let name = input
        .expect_ident()
        .map_err(|_| Refused)?
        .to_ascii_lowercase();
    let known = PROPERTIES.binary_search(&name.as_str()).is_ok()
        || context.properties.contains(&name)
        || context.contained && CONTAINED_PROPERTIES.contains(&name.as_str());
    if !known {
        return Err(Refused);
    }
    input.expect_colon().map_err(|_| Refused)?;
    let value = tokens(input, context, 0)?;
    let fixed = name == "position" && !matches!(value.as_str(), "static" | "relative" | "absolute");
    if value.is_empty() || fixed {
        return Err(Refused);
    }
    Ok((name, value))
}

/// The value of an attribute that is CSS, or nothing.
pub fn attribute(text: &str, context: Context<'_>) -> Option<String> {
    let mut parser = Parser::new(text);
    // A drawing is clipped by its own element, wherever its parts are moved.
    let context = Context {
        contained: true,
        ..context
    };
    let value = tokens(&mut parser, context, 0).ok()?;
    (parser.is_exhausted() && !value.is_empty()).then_some(value)
}

fn tokens(input: &mut Parser<'_>, context: Context<'_>, depth: usize) -> Result<String, Refused> {
    let mut value = String::new();
    loop {
        // Only the host may say that a declaration is important.
        if depth == 0 && input.r#try(parse_important).is_ok() {
            continue;
        }
        let before = value.len();
        let Ok(token) = input.next() else { break };
        let token = token.clone();
        match &token {
            Token::Ident(_) | Token::Hash(_) | Token::IDHash(_) | Token::Comma => {}
            Token::Delim('/' | '+' | '*' | '-') => {}
            Token::QuotedString(text) if !text.contains(['<', '\\', '\n']) => {}
            Token::Number { value: n, .. }
            | Token::Percentage { unit_value: n, .. }
            | Token::Dimension { value: n, .. }
                if n.is_finite() && (*n >= 0.0 || context.contained) => {}
            Token::UnquotedUrl(url) => {
                write_url(&mut value, url, context)?;
                continue;
            }
            Token::Function(name) if name.eq_ignore_ascii_case("url") => {
                let url = input.parse_nested_block(|input| {
                    let url = input.expect_string_cloned()?;
                    input.expect_exhausted()?;
                    Ok::<_, cssparser::ParseError<()>>(url)
                });
                write_url(&mut value, &url.map_err(|_| Refused)?, context)?;
                continue;
            }
            Token::Function(name) if is_function(name, context) && depth < DEPTH => {
                space(&mut value);
                value.push_str(&name.to_ascii_lowercase());
                value.push('(');
                value.push_str(&nested(input, context, depth)?);
                value.push(')');
                continue;
            }
            Token::ParenthesisBlock if context.contained && depth > 0 && depth < DEPTH => {
                space(&mut value);
                value.push('(');
                value.push_str(&nested(input, context, depth)?);
                value.push(')');
                continue;
            }
            _ => return Err(Refused),
        }
        if token != Token::Comma {
            space(&mut value);
        }
        token.to_css(&mut value).map_err(|_| Refused)?;
        // The text must be one token of plain characters. Names with escapes are dropped.
        if value[before..].contains(['\\', '<', '&']) {
            return Err(Refused);
        }
    }
    Ok(value)
}

fn nested(input: &mut Parser<'_>, context: Context<'_>, depth: usize) -> Result<String, Refused> {
    let inside = input.parse_nested_block(|input| {
        let inside = tokens(input, context, depth + 1);
        while input.next().is_ok() {}
        Ok::<_, cssparser::ParseError<()>>(inside)
    });
    inside.map_err(|_| Refused)?
}

fn is_function(name: &str, context: Context<'_>) -> bool {
    let name = name.to_ascii_lowercase();
    FUNCTIONS.contains(&name.as_str())
        || context.contained && CONTAINED_FUNCTIONS.contains(&name.as_str())
}

/// A reference to a part of the same drawing.
fn write_url(value: &mut String, url: &str, context: Context<'_>) -> Result<(), Refused> {
    let id = url.strip_prefix('#').ok_or(Refused)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if id.is_empty() || !id.chars().all(plain) {
        return Err(Refused);
    }
    space(value);
    value.push_str("url(#");
    if !id.starts_with(context.id_prefix) {
        value.push_str(context.id_prefix);
    }
    value.push_str(id);
    value.push(')');
    Ok(())
}

fn space(value: &mut String) {
    if !value.is_empty() {
        value.push(' ');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_are_in_order() {
        assert!(PROPERTIES.is_sorted());
    }
}
