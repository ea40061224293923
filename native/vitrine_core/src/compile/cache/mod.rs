//! Native code on disk, so that a module is not compiled again after each start.
//!
//! Native code is run as it is found, so a cache is only as trustworthy as its directory. A directory that other users could write
//! to is not used ([`directory`]). An entry that is not exactly what was written is deleted, and the module compiled again
//! ([`entry`]). Old entries are deleted ([`evict`]). A problem of the cache is never an error: without it, modules are compiled.

mod directory;
mod entry;
mod evict;

use std::fs::{self, File, OpenOptions};
use std::hash::{Hash, Hasher};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::SystemTime;

use sha2::{Digest, Sha256};
use vitrine_rewrite::data;
use wasmtime::Engine;

use crate::compile::options::CompileOptions;

pub(crate) use entry::Entry;

/// The version of the format. It must change whenever an entry says something else besides the code.
const FORMAT: u32 = 1;

/// The suffix of the names of entries.
const SUFFIX: &str = "native";

/// A cache of native code on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cache {
    /// The directory, which has no other files. It is created if it does not exist.
    pub directory: PathBuf,
    /// The most bytes of all entries. Beyond it, the least recently used entries are deleted.
    pub max_bytes: u64,
}

/// The key of an entry: the module, the options, and the compiler.
pub(crate) struct Key([u8; 32]);

impl Key {
    pub(crate) fn new(engine: &Engine, sha256: &[u8; 32], options: CompileOptions) -> Key {
        let mut hasher = KeyHasher(Sha256::new());
        // The format of entries, and the passes that rewrite modules.
        (FORMAT, vitrine_rewrite::VERSION).hash(&mut hasher);
        env!("CARGO_PKG_VERSION").hash(&mut hasher);
        sha256.hash(&mut hasher);
        options.hash(&mut hasher);
        // These decide which data is not in the code.
        (options.settings.shares_data(), data::LIMITS).hash(&mut hasher);
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Key(hasher.0.finalize().into())
    }
}

/// Hashes values by a hash without collisions.
struct KeyHasher(Sha256);

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}

impl Cache {
    /// The reason why the directory is not to be trusted, if there is one. A directory that cannot be created or read is merely
    /// useless.
    pub fn fault(&self) -> Option<String> {
        directory::open(&self.directory)
            .err()
            .filter(|e| e.kind() == io::ErrorKind::PermissionDenied && e.get_ref().is_some())
            .map(|e| e.to_string())
    }

    /// The entry for `key`, if there is one and it is exactly what was written.
    pub(crate) fn get(&self, key: &Key) -> Option<Entry> {
        directory::open(&self.directory).ok()?;
        let path = self.path(key);
        let bytes = self.read(&path).ok()?;
        let entry = Entry::parse(bytes, &key.0);
        if entry.is_none() {
            let _ = fs::remove_file(&path);
        }
        entry
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let found = fs::symlink_metadata(path)?;
        if !found.is_file() || found.len() > self.max_bytes {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut file = File::open(path)?;
        let mut bytes = Vec::with_capacity(found.len() as usize);
        (&mut file).take(self.max_bytes).read_to_end(&mut bytes)?;
        // Recently used entries are deleted last.
        let _ = file.set_modified(SystemTime::now());
        Ok(bytes)
    }

    /// Writes an entry, if that is possible.
    pub(crate) fn put(&self, key: &Key, entry: &Entry) {
        if directory::open(&self.directory).is_err() {
            return;
        }
        let bytes = entry.encode(&key.0);
        if bytes.len() as u64 <= self.max_bytes && self.write(&self.path(key), &bytes).is_ok() {
            evict::evict(&self.directory, self.max_bytes);
        }
    }

    /// Writes a file at once: a reader in this process or another finds all of it or nothing.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        static PARTS: AtomicU64 = AtomicU64::new(0);
        let (process, part) = (std::process::id(), PARTS.fetch_add(1, Relaxed));
        // Processes of several containers have the same id.
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = now.map_or(0, |now| now.as_nanos());
        let part = self
            .directory
            .join(format!("{process}-{now:x}-{part}.{}", evict::PART));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        directory::private(&mut options);
        let written = options
            .open(&part)
            .and_then(|mut file| file.write_all(bytes))
            .and_then(|()| fs::rename(&part, path));
        if written.is_err() {
            let _ = fs::remove_file(&part);
        }
        written
    }

    /// Deletes an entry that proved to be useless.
    pub(crate) fn remove(&self, key: &Key) {
        let _ = fs::remove_file(self.path(key));
    }

    fn path(&self, Key(key): &Key) -> PathBuf {
        let name: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        self.directory.join(format!("{name}.{SUFFIX}"))
    }
}
