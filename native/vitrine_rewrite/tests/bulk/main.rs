//! Tests of the form of modules whose bulk instructions are split. `vitrine_core` tests on the real engine that such
//! modules still do the same.

mod malformed;
mod structure;

use vitrine_rewrite::bulk::Chunk;

/// A chunk that is so small that every instruction is long.
const TINY: Chunk = Chunk {
    bytes: 4,
    elements: 3,
};

fn binary(wat: &str) -> Vec<u8> {
    wat::parse_str(wat).unwrap_or_else(|e| panic!("{e}"))
}
