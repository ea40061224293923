//! The error of a module that cannot be compiled, or cannot become a snapshot.

use std::fmt::Display;

use wasmparser::BinaryReaderError;

/// The reason why a module is refused. Each variant carries a clause for a person, without a capital letter and a full
/// stop.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The bytes are not a valid module, or the module becomes larger than every engine accepts.
    #[error("{0}")]
    Invalid(String),
    /// Reading or compiling the module would take much longer than its size suggests.
    #[error("{0}")]
    TooExpensive(String),
    /// The module can change state that a snapshot would lose.
    #[error("{0}")]
    CannotSnapshot(String),
}

impl Error {
    pub(crate) fn too_expensive(why: impl Display) -> Error {
        Error::TooExpensive(why.to_string())
    }

    pub(crate) fn cannot_snapshot(why: impl Display) -> Error {
        Error::CannotSnapshot(why.to_string())
    }
}

impl From<BinaryReaderError> for Error {
    fn from(error: BinaryReaderError) -> Error {
        Error::Invalid(error.to_string())
    }
}

impl From<anyhow::Error> for Error {
    fn from(error: anyhow::Error) -> Error {
        Error::Invalid(format!("{error:#}"))
    }
}
