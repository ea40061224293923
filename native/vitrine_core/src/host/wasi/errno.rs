//! The numbers that WASI has for errors of files.

/// The error of a process that has too many files open.
pub(super) const MFILE: i32 = 33;

#[cfg(unix)]
pub(super) use unix::*;

#[cfg(unix)]
mod unix {
    use std::io;

    use super::MFILE;

    pub(in super::super) const SUCCESS: i32 = 0;
    pub(in super::super) const DQUOT: i32 = 19;
    pub(in super::super) const ILSEQ: i32 = 25;
    pub(in super::super) const INVAL: i32 = 28;
    const IO: i32 = 29;
    pub(in super::super) const NAMETOOLONG: i32 = 37;
    pub(in super::super) const NOENT: i32 = 44;
    pub(in super::super) const NOTDIR: i32 = 54;
    pub(in super::super) const NXIO: i32 = 60;
    const PERM: i32 = 63;
    pub(in super::super) const XDEV: i32 = 75;

    /// The number of an error of the operating system.
    pub(in super::super) fn of(error: &io::Error) -> i32 {
        use rustix::io::Errno;
        const NUMBERS: &[(Errno, i32)] = &[
            (Errno::ACCESS, 2),
            (Errno::AGAIN, 6),
            (Errno::BADF, 8),
            (Errno::BUSY, 10),
            (Errno::DQUOT, DQUOT),
            (Errno::EXIST, 20),
            (Errno::FBIG, 22),
            (Errno::ILSEQ, ILSEQ),
            (Errno::INTR, 27),
            (Errno::INVAL, INVAL),
            (Errno::ISDIR, 31),
            (Errno::LOOP, 32),
            (Errno::MFILE, MFILE),
            (Errno::MLINK, 34),
            (Errno::NAMETOOLONG, NAMETOOLONG),
            (Errno::NFILE, 41),
            (Errno::NODEV, 43),
            (Errno::NOENT, NOENT),
            (Errno::NOMEM, 48),
            (Errno::NOSPC, 51),
            (Errno::NOTDIR, NOTDIR),
            (Errno::NOTEMPTY, 55),
            (Errno::NOTSUP, 58),
            (Errno::NXIO, NXIO),
            (Errno::OVERFLOW, 61),
            (Errno::PERM, PERM),
            (Errno::PIPE, 64),
            (Errno::ROFS, 69),
            (Errno::SPIPE, 70),
            (Errno::STALE, 72),
            (Errno::TIMEDOUT, 73),
            (Errno::TXTBSY, 74),
            (Errno::XDEV, XDEV),
        ];
        let raw = error.raw_os_error().map(Errno::from_raw_os_error);
        let known = NUMBERS.iter().find(|(errno, _)| Some(*errno) == raw);
        known.map_or_else(|| of_kind(error), |(_, number)| *number)
    }

    /// The number of an error of the sandbox itself, which is not one of the operating system.
    fn of_kind(error: &io::Error) -> i32 {
        match error.kind() {
            io::ErrorKind::NotFound => NOENT,
            io::ErrorKind::PermissionDenied => PERM,
            io::ErrorKind::AlreadyExists => 20,
            io::ErrorKind::InvalidInput => INVAL,
            _ => IO,
        }
    }
}
