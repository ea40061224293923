//! Texts that a guest chose, for errors: as long as a person may read, because they are made wherever
//! the guest runs.

/// Bytes of a guest's error message.
pub(crate) const MESSAGE: usize = 64 << 10;
/// Bytes of a name: of a function, a file, a variable.
pub(crate) const NAME: usize = 256;

/// The text, its beginning if it is longer than `most` bytes.
pub(crate) fn shown(text: &[u8], most: usize) -> String {
    match text.get(..most) {
        Some(begin) if begin.len() < text.len() => {
            let begin = String::from_utf8_lossy(begin);
            // The cut may go through a character.
            let begin = begin.trim_end_matches(char::REPLACEMENT_CHARACTER);
            format!("{begin}… ({} bytes more)", text.len() - most)
        }
        _ => String::from_utf8_lossy(text).into_owned(),
    }
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
        assert_eq!(shown("aéé".as_bytes(), 4), "aé… (1 bytes more)");
    }
}
