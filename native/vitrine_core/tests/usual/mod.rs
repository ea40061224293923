//! How tests compile that want nothing special.

use vitrine_core::CompileOptions;

/// Fused, unless the environment's `VITRINE_FUSE` is `off`: the same tests must pass without.
pub fn options() -> CompileOptions {
    CompileOptions {
        fuse: std::env::var("VITRINE_FUSE").as_deref() != Ok("off"),
        ..CompileOptions::default()
    }
}
