//! The parts that the benchmarks of the hosts share: the cases, how one is run on a host, how it is
//! timed, and how a process that has a host is asked for samples.
//!
//! Each host lives in a process of its own, which answers a [`Request`] with a [`Reply`]: so the
//! hosts' versions of Wasmtime do not meet, and samples of all hosts can be taken in turn.

#![warn(missing_docs)]

mod case;
mod guest;
mod host;
mod protocol;
mod run;
mod serve;
mod stopwatch;

pub use case::{Bytes, Case, Group, Work, all};
pub use guest::{Guest, Module};
pub use host::Host;
pub use protocol::{Hello, Reply, Request};
pub use run::{Prepared, on_host};
pub use serve::serve;
pub use stopwatch::{Sample, Stopwatch};
