//! Instructions that may take long and can be neither interrupted nor split: those that allocate
//! tables' elements and objects of the garbage-collected heap, or may collect it. A plugin that
//! has any runs on dirty schedulers only.

use wasmparser::{Operator, Parser, Payload};

/// All of these instructions are encoded with one of these bytes first.
const PREFIXES: [u8; 2] = [0xFB, 0xFC];

/// Whether a valid module has such instructions.
pub(crate) fn has_long_steps(wasm: &[u8]) -> anyhow::Result<bool> {
    for payload in Parser::new(0).parse_all(wasm) {
        let Payload::CodeSectionEntry(body) = payload? else {
            continue;
        };
        // Nearly all bodies have neither byte, and need not be decoded.
        if !body.as_bytes().iter().any(|byte| PREFIXES.contains(byte)) {
            continue;
        }
        for operator in body.get_operators_reader()? {
            if is_long(&operator?) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

fn is_long(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::TableGrow { .. }
            | Operator::StructNew { .. }
            | Operator::StructNewDefault { .. }
            | Operator::ArrayNew { .. }
            | Operator::ArrayNewDefault { .. }
            | Operator::ArrayNewFixed { .. }
            | Operator::ArrayNewData { .. }
            | Operator::ArrayNewElem { .. }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> bool {
        has_long_steps(&wat::parse_str(text).unwrap()).unwrap()
    }

    #[test]
    fn growing_a_table_and_allocating_objects_are_long_steps() {
        assert!(check(
            "(module (table 1 funcref)
               (func (drop (table.grow (ref.null func) (i32.const 9)))))"
        ));
        assert!(check(
            "(module (type $a (array i8))
               (func (drop (array.new_default $a (i32.const 9)))))"
        ));
        assert!(check(
            "(module (type $s (struct)) (func (drop (struct.new $s))))"
        ));
    }

    #[test]
    fn what_is_split_or_short_is_none() {
        assert!(!check(
            "(module (memory 1)
               (func (memory.fill (i32.const 0) (i32.const 0) (memory.size)))
               (func (drop (memory.grow (i32.const 1)))))"
        ));
        // A constant that looks like an instruction's first byte.
        assert!(!check("(module (func (drop (i32.const 0xfb))))"));
    }
}
