//! Decides whether native code may be loaded from a directory: only this user or root may be able to change it and all
//! directories above it.

use std::fs::OpenOptions;
use std::io;
use std::path::Path;

/// Makes sure that the directory exists and can be trusted. A directory that cannot be trusted is `PermissionDenied` with a
/// message.
#[cfg(unix)]
pub(super) fn open(path: &Path) -> io::Result<()> {
    use std::fs::{self, DirBuilder};
    use std::os::unix::fs::{DirBuilderExt, MetadataExt};

    const OTHERS_WRITE: u32 = 0o022;
    const STICKY: u32 = 0o1000;

    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    let me = rustix::process::geteuid().as_raw();
    let real = fs::canonicalize(path)?;
    for (depth, directory) in real.ancestors().enumerate() {
        let found = fs::metadata(directory)?;
        let why = if found.uid() != me && (depth == 0 || found.uid() != 0) {
            "belongs to another user"
        } else if found.mode() & OTHERS_WRITE != 0 && (depth == 0 || found.mode() & STICKY == 0) {
            "can be written to by others"
        } else {
            continue;
        };
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("{} {why}", directory.display()),
        ));
    }
    Ok(())
}

/// On this system it is not known who may write to a directory, so none is trusted.
#[cfg(not(unix))]
pub(super) fn open(_path: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Sets options so that only the owner of a new file can read and write it.
pub(super) fn private(options: &mut OpenOptions) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    #[cfg(not(unix))]
    let _ = options;
}
