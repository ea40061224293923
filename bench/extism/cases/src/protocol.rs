//! The messages between the runner and a process that has a host, a line of JSON each.

use serde::{Deserialize, Serialize};

use crate::stopwatch::Sample;

/// The first thing a process says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Hello {
    /// It has this host.
    Ready(String),
    /// It cannot have its host here, for this reason.
    Missing(String),
}

/// Asks for a sample.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The name of the case.
    pub case: String,
    /// How often it is to be run.
    pub runs: u64,
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// The time of all runs.
    Sample(Sample),
    /// The host has no such thing.
    Unsupported,
    /// It went wrong.
    Failed(String),
}
