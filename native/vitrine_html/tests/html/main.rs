//! HTML of plugins: tests of the contents that stay, of those that go, and that nothing reaches out of the document.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod allowed;
mod css;
mod evasion;
mod fuzz;
mod limits;
mod mutation;
mod names;
mod shape;
mod support;
