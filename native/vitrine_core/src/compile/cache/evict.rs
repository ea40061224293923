//! Bounds the size of a cache by deleting the least recently used entries.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::SUFFIX;

/// The suffix of files that are being written.
pub(super) const PART: &str = "part";

/// A writer that has not finished after this time is gone.
const ABANDONED: Duration = Duration::from_secs(3600);

struct File {
    path: PathBuf,
    used: SystemTime,
    bytes: u64,
}

/// Deletes entries until the rest has at most `max_bytes`, and the files that writers left unfinished. Files that cannot be read or
/// deleted are left alone, and so are files that are not entries.
pub(super) fn evict(directory: &Path, max_bytes: u64) {
    let mut entries = files(directory, SUFFIX);
    let mut total: u64 = entries.iter().map(|file| file.bytes).sum();
    entries.sort_by_key(|file| file.used);
    for file in entries {
        if total <= max_bytes {
            break;
        }
        if fs::remove_file(&file.path).is_ok() {
            total -= file.bytes;
        }
    }
    for file in files(directory, PART) {
        if file.used.elapsed().is_ok_and(|age| age > ABANDONED) {
            let _ = fs::remove_file(&file.path);
        }
    }
}

fn files(directory: &Path, suffix: &str) -> Vec<File> {
    let Ok(found) = fs::read_dir(directory) else {
        return Vec::new();
    };
    let found = found.filter_map(Result::ok).filter_map(|entry| {
        let (path, about) = (entry.path(), entry.metadata().ok()?);
        let ours = about.is_file() && path.extension() == Some(OsStr::new(suffix));
        ours.then_some(File {
            path,
            used: about.modified().ok()?,
            bytes: about.len(),
        })
    });
    found.collect()
}
