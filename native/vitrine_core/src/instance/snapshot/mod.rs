//! The state of an instance, read from its store: what a snapshot of it consists of.

pub(crate) mod read;
pub(crate) mod wasi;
