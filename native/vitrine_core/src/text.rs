//! Texts that a guest chose, made fit for errors and logs: they are cut to what a person may read, because they are made
//! on the scheduler on which the guest runs. `Vitrine.Text.Printable` does the same in Elixir.

use std::borrow::Cow;
use std::fmt::Write;

/// The most bytes of a guest's error message, and of a line that it logs.
pub(crate) const MESSAGE: usize = 64 << 10;
/// The most bytes of a name: of a function, a file, a variable.
pub(crate) const NAME: usize = 256;

/// The text for a message of Vitrine's: on one line, without control characters and invisible ones. If it is longer than
/// `most` bytes, only its beginning.
pub(crate) fn shown(text: &[u8], most: usize) -> String {
    let text = said(text, most);
    if !text.contains(is_hidden) {
        return text;
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for char in text.chars() {
        match char {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            '\u{1B}' => shown.push_str("\\e"),
            // Writing to a string cannot fail.
            _ if is_hidden(char) => write!(shown, "\\u{{{:X}}}", u32::from(char)).unwrap_or(()),
            _ => shown.push(char),
        }
    }
    shown
}

/// A name of a function, a module or a file.
pub(crate) fn name(name: &str) -> String {
    shown(name.as_bytes(), NAME)
}

/// A name in quotes.
pub(crate) fn quoted(name: &str) -> String {
    let name = self::name(&name.replace('\\', "\\\\").replace('"', "\\\""));
    format!("\"{name}\"")
}

/// An import, as messages of calls write it.
pub(crate) fn import(namespace: &str, function: &str) -> String {
    format!("{}::{}", name(namespace), name(function))
}

/// The text as the guest gave it, for an error's message, which the host may read as data. If it is longer than `most` bytes,
/// only its beginning.
pub(crate) fn said(text: &[u8], most: usize) -> String {
    String::from_utf8_lossy(&cut(text, most)).into_owned()
}

/// The text in UTF-8, with U+FFFD for bytes that are not UTF-8.
pub(crate) fn valid(text: Vec<u8>) -> Vec<u8> {
    match String::from_utf8(text) {
        Ok(text) => text.into_bytes(),
        Err(e) => String::from_utf8_lossy(e.as_bytes())
            .into_owned()
            .into_bytes(),
    }
}

/// Control characters, the soft hyphen, and characters that have no width, separate lines or change the direction of text.
fn is_hidden(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{AD}' | '\u{61C}' | '\u{180E}' | '\u{FEFF}')
        || matches!(char, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}')
        || matches!(char, '\u{2060}'..='\u{206F}' | '\u{FFF9}'..='\u{FFFB}')
        || matches!(char, '\u{E0000}'..='\u{E0FFF}')
}

/// Bytes that need not be text, cut to `most` bytes between two characters.
pub(crate) fn cut(text: &[u8], most: usize) -> Cow<'_, [u8]> {
    let Some(begin) = text.get(..most).filter(|begin| begin.len() < text.len()) else {
        return Cow::Borrowed(text);
    };
    let whole = most - half_character(begin);
    let rest = format!("… ({} bytes more)", text.len() - whole);
    Cow::Owned([&begin[..whole], rest.as_bytes()].concat())
}

/// The number of bytes at the end that are an incomplete character: at most three.
pub(crate) fn half_character(text: &[u8]) -> usize {
    let longest = text.len().min(3);
    (1..=longest)
        .find(|length| {
            let end = &text[text.len() - length..];
            matches!(std::str::from_utf8(end), Err(e) if e.valid_up_to() == 0 && e.error_len().is_none())
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_text_is_shown_whole() {
        assert_eq!(shown(b"", 3), "");
        assert_eq!(shown(b"abc", 3), "abc");
        assert_eq!(shown(b"a\xFF", 3), "a\u{FFFD}");
    }

    #[test]
    fn long_text_is_cut_between_characters_and_says_how_much_is_missing() {
        assert_eq!(shown(b"abcd", 3), "abc… (1 bytes more)");
        assert_eq!(shown("aéé".as_bytes(), 4), "aé… (2 bytes more)");
        assert_eq!(shown("a👍".as_bytes(), 4), "a… (4 bytes more)");
        assert_eq!(shown(b"\xFFa\xC3\xA9", 3), "\u{FFFD}a… (2 bytes more)");
        assert_eq!(
            shown(&[0x80; 9], 5),
            "\u{FFFD}".repeat(5) + "… (4 bytes more)"
        );
    }

    #[test]
    fn control_characters_and_invisible_characters_are_shown_as_escapes() {
        assert_eq!(
            shown(b"a\r\n\tb\x1B[2J\0\x7F", 99),
            r"a\r\n\tb\e[2J\u{0}\u{7F}"
        );
        let hidden = "\u{85}\u{AD}\u{200B}\u{2028}\u{202E}\u{2066}\u{FEFF}\u{E0041}";
        let escapes = r"\u{85}\u{AD}\u{200B}\u{2028}\u{202E}\u{2066}\u{FEFF}\u{E0041}";
        assert_eq!(shown(hidden.as_bytes(), 99), escapes);
        assert_eq!(shown("Größe 大 👍🏽".as_bytes(), 99), "Größe 大 👍🏽");
    }

    #[test]
    fn quoted_name_escapes_its_quotes_and_backslashes() {
        assert_eq!(quoted("a\"b\\c\n"), r#""a\"b\\c\n""#);
    }

    #[test]
    fn said_text_keeps_its_line_feeds() {
        assert_eq!(said(b"a\nb", 3), "a\nb");
    }

    #[test]
    fn bytes_that_are_not_text_are_cut_unchanged() {
        assert_eq!(cut(b"\xFFabc", 4), &b"\xFFabc"[..]);
        let begin = cut(b"\xFFabc\xFF", 4);
        assert_eq!(begin, [b"\xFFabc", "… (1 bytes more)".as_bytes()].concat());
    }
}
