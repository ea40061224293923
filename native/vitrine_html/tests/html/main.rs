//! HTML of plugins: what stays, what goes, and that nothing gets out.

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
