//! The cost of reading the text of a module. The parser looks for each label in all blocks around it, from the
//! innermost block on.

use wast::lexer::{Lexer, TokenKind};

use super::bounds::{Allowed, Excess};
use crate::error::Error;

/// The limit by the size of the text.
const LOOKED_AT: Allowed = Allowed::new(100_000_000, (16, 1));

/// Refuses a text that would take much longer to read than its size suggests. It need not be the text of a module.
///
/// # Errors
///
/// Returns [`Error::TooExpensive`] for such a text.
pub fn check(text: &str) -> Result<(), Error> {
    let (count, bytes) = (looked_at(text), text.len() as u64);
    let allowed = LOOKED_AT.of(bytes);
    if count <= allowed {
        return Ok(());
    }
    let excess = Excess {
        count,
        what: "blocks around the labels that it names",
        allowed,
        bytes,
        of: " of text",
    };
    Err(Error::too_expensive(format_args!(
        "reading it would take too long: the text has {excess}"
    )))
}

/// The number of blocks that are looked at if each label is that of the outermost block.
fn looked_at(text: &str) -> u64 {
    let lexer = Lexer::new(text);
    let (mut position, mut count, mut depth) = (0, 0, 0_u64);
    // For each open parenthesis, this tells whether it is that of a block.
    let mut parentheses = Vec::new();
    let (mut opened, mut names_labels) = (false, false);
    while let Ok(Some(token)) = lexer.parse(&mut position) {
        match token.kind {
            TokenKind::Whitespace | TokenKind::LineComment | TokenKind::BlockComment => continue,
            TokenKind::LParen => parentheses.push(false),
            TokenKind::RParen => {
                depth = depth.saturating_sub(parentheses.pop().unwrap_or_default().into());
                names_labels = false;
            }
            TokenKind::Keyword => {
                let word = token.src(text);
                names_labels = ["br", "catch", "on", "delegate", "rethrow"]
                    .iter()
                    .any(|beginning| word.starts_with(beginning));
                match word {
                    "block" | "loop" | "if" | "try" | "try_table" => {
                        depth += 1;
                        if let Some(last) = parentheses.last_mut().filter(|_| opened) {
                            *last = true;
                        }
                    }
                    "end" => depth = depth.saturating_sub(1),
                    _ => (),
                }
            }
            TokenKind::Id if names_labels => count += depth,
            _ => (),
        }
        opened = token.kind == TokenKind::LParen;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_around_a_named_label_are_counted_flat_and_folded() {
        assert_eq!(looked_at("block $a block br $a end br $a end br $a"), 2 + 1);
        assert_eq!(
            looked_at("(block $a (block (br $a)) (br $a)) (br $a)"),
            2 + 1
        );
        assert_eq!(
            looked_at("(block $a (if (then br_if $a)) (loop) br $a)"),
            2 + 1
        );
        assert_eq!(looked_at("block block br_table $a $b 1 $c end end"), 3 * 2);
        // Locals are not labels, and neither are words in strings and comments.
        assert_eq!(
            looked_at("block local.get $a call $b \"br $c\" (; br $d ;) end"),
            0
        );
        assert_eq!(looked_at("block $a (try_table (catch $t $a)) end"), 2 * 2);
        assert_eq!(looked_at(") end end ) br $a"), 0);
    }

    #[test]
    fn labels_nested_as_compilers_nest_them_are_read_and_deeper_ones_are_refused() {
        let nested = |n: usize| {
            let (begin, end) = ("block ".repeat(n), "br $o end ".repeat(n));
            format!("(module (func block $o {begin} {end} end))")
        };
        assert_eq!(check(&nested(9_000)), Ok(()));
        let message = check(&nested(90_000))
            .map_err(|e| e.to_string())
            .unwrap_err();
        assert!(
            message.contains("4050135000 blocks around the labels that it names"),
            "{message}"
        );
        assert!(message.contains("; the limit is 1"), "{message}");
        assert!(message.ends_with(" bytes of text"), "{message}");
    }
}
