//! Bulk instructions made interruptible: a rewritten module must do exactly what the original
//! does. Most tests run both, on the real engine, and compare all there is to see.

// The module has no part in the library's API; it needs nothing else of the crate.
#[path = "../../src/interruptible/mod.rs"]
mod interruptible;

mod array;
mod interruption;
mod malformed;
mod memory;
mod random;
mod structure;
mod support;
mod table;
