//! Tells a lack of memory from other errors.

use std::io;

/// The beginning of an error of a [`wasmtime::MemoryCreator`] when the system has no room. Wasmtime keeps only the
/// text of the error.
pub(crate) const NO_SPACE: &str = "no address space";

/// Returns true if an error means that the system refused memory or addresses.
pub fn lacks_memory(error: &wasmtime::Error) -> bool {
    let cause = error.root_cause();
    #[cfg(unix)]
    if let Some(errno) = cause.downcast_ref::<rustix::io::Errno>() {
        return *errno == rustix::io::Errno::NOMEM;
    }
    let io = cause.downcast_ref::<io::Error>();
    io.is_some_and(|e| e.kind() == io::ErrorKind::OutOfMemory)
        || cause.to_string().starts_with(NO_SPACE)
}

#[cfg(test)]
mod tests {
    use wasmtime::{Error, format_err};

    use super::*;

    #[test]
    fn a_refusal_of_the_system_is_a_lack_of_memory_and_other_errors_are_not() {
        let refused = || io::Error::from(io::ErrorKind::OutOfMemory);
        assert!(lacks_memory(&Error::new(refused())));
        assert!(lacks_memory(
            &Error::new(refused()).context("while it was made")
        ));
        assert!(lacks_memory(&format_err!("{NO_SPACE}: {}", refused())));
        #[cfg(unix)]
        assert!(lacks_memory(&Error::new(rustix::io::Errno::NOMEM)));
        #[cfg(unix)]
        assert!(!lacks_memory(&Error::new(rustix::io::Errno::INVAL)));
        assert!(!lacks_memory(&format_err!("there was no address space")));
        let other = io::Error::from(io::ErrorKind::InvalidInput);
        assert!(!lacks_memory(&Error::new(other)));
    }
}
