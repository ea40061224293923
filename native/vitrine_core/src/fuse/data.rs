//! Whether a module has so much data that its instances should share it.
//!
//! Wasmtime makes an image of a module's data, which an instance maps and shares with the others until it
//! writes; but of no module that imports a memory, as fused ones do. Their data is copied into each instance.

use anyhow::Result;
use wasmparser::{DataKind, Parser, Payload};

/// Bytes that take some tenths of a millisecond to copy, with the pages that they need. Go's runtime
/// has more.
const SHARED: usize = 512 * 1024;

pub(crate) fn is_much(wasm: &[u8]) -> Result<bool> {
    let mut bytes = 0;
    for payload in Parser::new(0).parse_all(wasm) {
        if let Payload::DataSection(segments) = payload? {
            for segment in segments {
                let segment = segment?;
                if let DataKind::Active { .. } = segment.kind {
                    bytes += segment.data.len();
                }
            }
        }
    }
    Ok(bytes > SHARED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_each_instance_gets_is_counted() {
        let module = |kind: &str| {
            let data = "x".repeat(SHARED / 2);
            let text = format!(
                r#"(module (memory 32) (data {kind} "{data}") (data {kind} "{data}") (data (i32.const 0) "y"))"#
            );
            is_much(&wat::parse_str(text).unwrap()).unwrap()
        };
        assert!(module("(i32.const 8)"));
        assert!(!module(""));
    }
}
