//! For tests: whether a byte can be read.

use std::os::fd::AsRawFd;

/// Whether a byte can be read. The system answers that without a signal.
pub(crate) fn readable(at: *mut u8) -> bool {
    let (_reader, writer) = std::io::pipe().unwrap();
    // SAFETY: the system checks the address, and fails with EFAULT.
    unsafe { libc::write(writer.as_raw_fd(), at.cast(), 1) == 1 }
}
