//! Characters and references to them, in text and in values.

use std::borrow::Cow;

/// References that are read, and the characters they mean. No name is the beginning of another.
const REFERENCES: &[(&str, char)] = &[
    ("&amp;", '&'),
    ("&lt;", '<'),
    ("&gt;", '>'),
    ("&quot;", '"'),
    ("&apos;", '\''),
    ("&nbsp;", '\u{a0}'),
];

/// The characters that a text or a value means, unless parsers change some of them.
pub fn decode(text: &str) -> Option<Cow<'_, str>> {
    let changed = |byte: u8| byte < b' ' && byte != b'\n' && byte != b'\t';
    if text.bytes().any(changed) {
        return None;
    }
    let Some(first) = text.find('&') else {
        return Some(Cow::Borrowed(text));
    };
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    let mut next = Some(first);
    while let Some(place) = next {
        decoded.push_str(&rest[..place]);
        let (character, behind) = reference(&rest[place..])?;
        decoded.push(character);
        rest = behind;
        next = rest.find('&');
    }
    decoded.push_str(rest);
    Some(Cow::Owned(decoded))
}

/// The character that a text refers to with its first bytes, and the text behind them.
fn reference(text: &str) -> Option<(char, &str)> {
    let named = REFERENCES.iter().find(|(name, _)| text.starts_with(name));
    if let Some((name, character)) = named {
        return Some((*character, &text[name.len()..]));
    }
    let (number, behind) = text.strip_prefix("&#")?.split_once(';')?;
    let code = match number.strip_prefix('x') {
        Some(digits) => plain_number(digits, 16)?,
        None => plain_number(number, 10)?,
    };
    // To the standard, other numbers can mean other characters.
    let character = char::from(u8::try_from(code).ok()?);
    (' '..='~')
        .contains(&character)
        .then_some((character, behind))
}

fn plain_number(digits: &str, radix: u32) -> Option<u32> {
    let plain = (1..=3).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit());
    plain
        .then(|| u32::from_str_radix(digits, radix).ok())
        .flatten()
}

/// Writes a text as the sanitiser does.
pub fn write_text(out: &mut String, text: &str) {
    write(out, text, false);
}

/// Writes a value, which is in quotes, as the sanitiser does.
pub fn write_value(out: &mut String, value: &str) {
    write(out, value, true);
}

/// The text without the space that it begins with.
pub fn trim_start(text: &str) -> &str {
    let space = |byte: &u8| matches!(byte, b' ' | b'\n' | b'\t');
    let end = text.bytes().take_while(space).count();
    &text[end..]
}

fn write(out: &mut String, text: &str, quoted: bool) {
    let mut written = 0;
    for (place, byte) in text.bytes().enumerate() {
        let (escaped, length) = match byte {
            b'&' => ("&amp;", 1),
            b'<' => ("&lt;", 1),
            b'>' => ("&gt;", 1),
            b'"' if quoted => ("&quot;", 1),
            // The character has two bytes. Many other characters have the same second byte.
            0xc2 if text.as_bytes().get(place + 1) == Some(&0xa0) => ("&nbsp;", 2),
            _ => continue,
        };
        out.push_str(&text[written..place]);
        out.push_str(escaped);
        written = place + length;
    }
    out.push_str(&text[written..]);
}
