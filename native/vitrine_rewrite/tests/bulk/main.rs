//! What becomes of a module whose bulk instructions are split. That it still does the same is tested on the real
//! engine, in `vitrine_core`.

mod malformed;
mod structure;

use vitrine_rewrite::bulk::Chunk;

/// So small that everything is long.
const TINY: Chunk = Chunk {
    bytes: 4,
    elements: 3,
};

fn binary(wat: &str) -> Vec<u8> {
    wat::parse_str(wat).unwrap_or_else(|e| panic!("{e}"))
}
