//! Texts that a guest chose, for errors and logs: as long as a person may read, because they are made wherever
//! the guest runs.

use std::borrow::Cow;

/// Bytes of a guest's error message, and of a line that it logs.
pub(crate) const MESSAGE: usize = 64 << 10;
/// Bytes of a name: of a function, a file, a variable.
pub(crate) const NAME: usize = 256;

/// The text, its beginning if it is longer than `most` bytes.
pub(crate) fn shown(text: &[u8], most: usize) -> String {
    String::from_utf8_lossy(&cut(text, most)).into_owned()
}

/// The same of what need not be text. Then the cut may go through a character.
pub(crate) fn cut(text: &[u8], most: usize) -> Cow<'_, [u8]> {
    let Some(begin) = text.get(..most).filter(|begin| begin.len() < text.len()) else {
        return Cow::Borrowed(text);
    };
    let whole = match std::str::from_utf8(begin) {
        Err(e) if e.error_len().is_none() => e.valid_up_to(),
        _ => begin.len(),
    };
    let rest = format!("… ({} bytes more)", text.len() - whole);
    Cow::Owned([&begin[..whole], rest.as_bytes()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_too_long_is_shown_whole() {
        assert_eq!(shown(b"", 3), "");
        assert_eq!(shown(b"abc", 3), "abc");
        assert_eq!(shown(b"a\xFF", 3), "a\u{FFFD}");
    }

    #[test]
    fn of_what_is_longer_the_beginning_is_shown_without_half_a_character() {
        assert_eq!(shown(b"abcd", 3), "abc… (1 bytes more)");
        assert_eq!(shown("aéé".as_bytes(), 4), "aé… (2 bytes more)");
    }

    #[test]
    fn what_is_no_text_is_cut_as_it_is() {
        assert_eq!(cut(b"\xFFabc", 4), &b"\xFFabc"[..]);
        let begin = cut(b"\xFFabc\xFF", 4);
        assert_eq!(begin, [b"\xFFabc", "… (1 bytes more)".as_bytes()].concat());
    }
}
