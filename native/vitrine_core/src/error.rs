//! Errors as data: every failure of loading or calling a plugin is an [`Error`].

use std::fmt;

use crate::time_spent::Spent;

/// The kind of a failure. Elixir has an atom of the same name for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The plugin reported an error, or returned a code other than 0.
    GuestError,
    /// The guest trapped, or called the host in a way the ABI forbids.
    Trap,
    /// The guest ended itself with an exit code.
    Exit,
    /// The deadline of the call passed.
    Timeout,
    /// The call was cancelled.
    Cancelled,
    /// A memory limit was reached.
    OutOfMemory,
    /// The fuel was used up.
    Fuel,
    /// The output is larger than its limit.
    OutputTooLarge,
    /// A host function failed.
    HostFunction,
    /// An HTTP request was refused or failed.
    Http,
    /// The plugin has no such function, or the function cannot be called as a plugin function.
    FunctionNotFound,
    /// An import cannot be satisfied.
    Link,
    /// Something that the plugin is granted is not available, such as a directory.
    Manifest,
    /// The variables exceed their limit.
    Vars,
    /// The bytes are not a module that can be compiled.
    Compile,
    /// The plugin has, or may have, state that a snapshot would lose.
    Snapshot,
    /// The plugin is in the middle of a call.
    Busy,
    /// The plugin was closed.
    Closed,
}

impl Reason {
    /// All reasons, each at the index of its discriminant.
    pub const ALL: [Reason; 18] = [
        Reason::GuestError,
        Reason::Trap,
        Reason::Exit,
        Reason::Timeout,
        Reason::Cancelled,
        Reason::OutOfMemory,
        Reason::Fuel,
        Reason::OutputTooLarge,
        Reason::HostFunction,
        Reason::Http,
        Reason::FunctionNotFound,
        Reason::Link,
        Reason::Manifest,
        Reason::Vars,
        Reason::Compile,
        Reason::Snapshot,
        Reason::Busy,
        Reason::Closed,
    ];
}

/// One frame of a Wasm backtrace, innermost first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The function's name, if the module has a name section.
    pub function: Option<String>,
    /// The function's index in the module.
    pub index: u32,
    /// The offset of the instruction in the module's bytes.
    pub offset: Option<usize>,
    /// The source file, if debug information was asked for and exists.
    pub file: Option<String>,
    /// The line in the source file.
    pub line: Option<u32>,
    /// How many frames were repeated, this one being the last of them, and how many more times.
    pub repeated: Option<(u32, u32)>,
}

/// A failure, with all that is known about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// The kind of failure.
    pub reason: Reason,
    /// A sentence for a person.
    pub message: String,
    /// The guest's return code or exit code.
    pub code: Option<i32>,
    /// The trap's code, such as `out of bounds memory access`.
    pub trap: Option<String>,
    /// The guest's stack at the point of the error.
    pub backtrace: Vec<Frame>,
    /// The time of the call by what it was spent on, if the call ran out of time.
    pub spent: Option<Box<Spent>>,
}

impl Error {
    /// An error with a reason and a message only.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Error {
            reason,
            message: message.into(),
            code: None,
            trap: None,
            backtrace: Vec::new(),
            spent: None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// The reason why the host stopped a guest. It travels through Wasmtime as the cause of the trap.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Stop {
    #[error("the call ran past its deadline")]
    Timeout,
    #[error("the call was cancelled")]
    Cancelled,
    #[error("out of memory: {0}")]
    OutOfMemory(String),
    #[error("the host function {0} failed")]
    HostFunction(String),
    #[error("{0}")]
    Http(String),
    /// The guest broke the rules of the ABI.
    #[error("{0}")]
    Abi(String),
}

impl Stop {
    pub(crate) fn reason(&self) -> Reason {
        match self {
            Stop::Timeout => Reason::Timeout,
            Stop::Cancelled => Reason::Cancelled,
            Stop::OutOfMemory(_) => Reason::OutOfMemory,
            Stop::HostFunction(_) => Reason::HostFunction,
            Stop::Http(_) => Reason::Http,
            Stop::Abi(_) => Reason::Trap,
        }
    }
}
