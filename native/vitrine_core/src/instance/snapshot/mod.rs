//! Reads the state of an instance for a snapshot, from its store: `read` reads memories and globals, `wasi` refuses open
//! files.

pub(crate) mod read;
pub(crate) mod wasi;
