//! Faults: what is wrong with the modules of a plugin.

use crate::error::{Error, Reason};

/// Something that is wrong with a plugin's modules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The kind of the failure.
    pub reason: Reason,
    /// A sentence for a person, without a full stop.
    pub message: String,
}

impl Fault {
    pub(super) fn link(message: impl Into<String>) -> Fault {
        let message = message.into();
        Fault {
            reason: Reason::Link,
            message,
        }
    }
}

/// The error for these faults, if there are any. It has the reason of the first fault, and the messages of all faults
/// with that reason.
pub(crate) fn error(faults: &[Fault]) -> Option<Error> {
    let reason = faults.first()?.reason;
    let same = faults.iter().filter(|fault| fault.reason == reason);
    let mut message = String::new();
    for fault in same {
        let mut letters = fault.message.chars();
        match letters.next() {
            Some(first) if !message.is_empty() => {
                message += ". ";
                message.extend(first.to_uppercase());
                message += letters.as_str();
            }
            _ => message += &fault.message,
        }
    }
    Some(Error::new(reason, message))
}
