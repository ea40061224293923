//! Snapshots: a module that begins with the memory and globals that the initialisation of another one left.
//!
//! A snapshot keeps the module's own memories, and its globals that are numbers. References are not kept: [`check`]
//! refuses a module that could change any other state. The state is read from an instance of a draft, whose state
//! [`crate::state_exports`] exports, and [`encode`] writes the module that begins with it.
//!
//! wasmtime-wizer does the same for modules that are trusted. It makes assertions that a hostile module can break,
//! remembers each run of bytes that are not zero (some gigabytes for a guest that fills its memory with a pattern), and
//! takes exports away.

mod check;
mod encode;
mod state;

pub use check::check;
pub use encode::encode;
pub use state::{Constant, MemoryState, Own, State, ranges};

/// The step of making a snapshot that a module is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// The module is to be initialised; then a snapshot is taken.
    Draft,
    /// The module is a snapshot: its initialisers have run.
    Snapshot,
}
