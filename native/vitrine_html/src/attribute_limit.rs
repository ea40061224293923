//! Limits the attributes of a tag before a tokenizer reads it.
//!
//! A tokenizer compares each attribute of a tag with all before it, so a tag with tens of thousands takes seconds.
//! Only a tokenizer knows which `<` of a text begins a tag. So this module follows every `<` that could begin one, and
//! all of them at once: for each state that a tokenizer can be in, it keeps the most attributes of any tag that could
//! be in that state.

/// The most attributes of a tag. People write less than half as many.
const MOST: u32 = 256;

/// The part of a tag that a byte is in, in the words of the standard.
#[derive(Clone, Copy, PartialEq)]
enum State {
    TagName,
    BeforeName,
    Name,
    AfterName,
    BeforeValue,
    DoubleQuoted,
    SingleQuoted,
    Unquoted,
}

use State::*;

/// Whether a tag of the text could have more attributes than a parser should see.
pub fn is_exceeded(text: &str) -> bool {
    let bytes = text.as_bytes();
    let (mut tags, mut next) = (Tags::new(), Tags::new());
    let mut place = 0;
    while place < bytes.len() {
        if tags.is_empty() {
            // This searches bytes, because a tag can end before any byte.
            let Some(begin) = bytes[place..].iter().position(|byte| *byte == b'<') else {
                return false;
            };
            place += begin;
        }
        let byte = bytes[place];
        for (state, attributes) in tags.drain(..) {
            if let Some(to) = after(state, byte) {
                let begins = to == Name && state != Name;
                add(&mut next, to, attributes + u32::from(begins));
            }
        }
        if byte == b'<' && is_tag(&bytes[place + 1..]) {
            add(&mut next, TagName, 0);
        }
        if next.iter().any(|(_, attributes)| *attributes > MOST) {
            return true;
        }
        std::mem::swap(&mut tags, &mut next);
        place += 1;
    }
    false
}

/// The states that tags could be in, each state once, with the most attributes of any tag that could be in it.
type Tags = Vec<(State, u32)>;

fn add(tags: &mut Tags, state: State, attributes: u32) {
    match tags.iter_mut().find(|(own, _)| *own == state) {
        Some((_, most)) => *most = attributes.max(*most),
        None => tags.push((state, attributes)),
    }
}

fn is_tag(behind: &[u8]) -> bool {
    let name = behind.strip_prefix(b"/").unwrap_or(behind);
    name.first().is_some_and(u8::is_ascii_alphabetic)
}

/// The state behind a byte, or nothing at the end of the tag.
fn after(state: State, byte: u8) -> Option<State> {
    let space = byte.is_ascii_whitespace();
    match (state, byte) {
        (DoubleQuoted, b'"') | (SingleQuoted, b'\'') => Some(BeforeName),
        (DoubleQuoted | SingleQuoted, _) => Some(state),
        (_, b'>') => None,
        (TagName | Unquoted, _) if space => Some(BeforeName),
        (TagName, b'/') => Some(BeforeName),
        (TagName | Unquoted, _) => Some(state),
        (Name | AfterName, b'=') => Some(BeforeValue),
        (Name, _) if space => Some(AfterName),
        (BeforeName | AfterName | BeforeValue, _) if space => Some(state),
        (BeforeName | Name | AfterName, b'/') => Some(BeforeName),
        (BeforeName | Name | AfterName, _) => Some(Name),
        (BeforeValue, b'"') => Some(DoubleQuoted),
        (BeforeValue, b'\'') => Some(SingleQuoted),
        (BeforeValue, _) => Some(Unquoted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Text with so many attributes in a tag, which stands behind text that could hide it.
    fn tag(before: &str, attributes: u32) -> String {
        format!("{before}<b {}>", r#"a1='>"' "#.repeat(attributes as usize))
    }

    #[test]
    fn attributes_of_a_tag_are_counted_wherever_it_begins() {
        for before in [
            "",
            "<b ",
            "<!-- <p a=\" -->",
            "<p a='",
            "<x y=\"z",
            "<script>a<b",
            "</",
            "<p a=b",
        ] {
            assert!(is_exceeded(&tag(before, MOST + 1)), "{before}");
        }
        assert!(is_exceeded(&format!("</b {}>", "a/".repeat(300))));
        assert!(is_exceeded(&format!("<b {}", "a b=c ".repeat(200))));
    }

    #[test]
    fn attributes_of_many_tags_are_not_added_up() {
        assert!(!is_exceeded(&tag("", MOST).repeat(3)));
        assert!(!is_exceeded(
            &"<b a=\"1 2\" c='3 4' d=5 e>x y z</b>".repeat(500)
        ));
        assert!(!is_exceeded(&format!(
            "<path d=\"{}\">",
            "M0 0 ".repeat(500)
        )));
        assert!(!is_exceeded(&"a < b ".repeat(500)));
    }
}
