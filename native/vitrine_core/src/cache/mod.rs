//! Native code on disk, so that a module is compiled once and not once for each start.
//!
//! Native code is run as it is found, so a cache is only as good as its directory: one that others
//! could write to is not used ([`directory`]), an entry that is not exactly what was written is
//! deleted and compiled anew ([`entry`]). Nothing about a cache is an error: without one, modules
//! are compiled.

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
use wasmtime::Engine;

use crate::compile::CompileOptions;
use crate::data_image;

pub(crate) use entry::Entry;

/// Changes with every change of what is compiled for a module: of the rewriting of bulk
/// instructions, of fusing, of the preparation of libraries, and of what an entry says beside the code.
const VERSION: u32 = 6;

/// The names of entries end so.
const SUFFIX: &str = "native";

/// Where native code is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cache {
    /// The directory, of which entries are the only files. Made if it is not there.
    pub directory: PathBuf,
    /// Bytes of all entries, above which those that were not used for the longest time are deleted.
    pub max_bytes: u64,
}

/// What an entry is for: the module, how it is compiled, and by what.
pub(crate) struct Key([u8; 32]);

impl Key {
    pub(crate) fn new(engine: &Engine, sha256: &[u8; 32], options: CompileOptions) -> Key {
        let mut hasher = KeyHasher(Sha256::new());
        VERSION.hash(&mut hasher);
        env!("CARGO_PKG_VERSION").hash(&mut hasher);
        sha256.hash(&mut hasher);
        options.hash(&mut hasher);
        // How much data is not in the code.
        (options.settings.shares_data(), data_image::LIMITS).hash(&mut hasher);
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Key(hasher.0.finalize().into())
    }
}

/// Feeds what can be hashed to a hash without collisions.
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
    /// Why the directory is not to be trusted, if it is not. One that cannot be made or read is
    /// merely of no use.
    pub fn fault(&self) -> Option<String> {
        directory::open(&self.directory)
            .err()
            .filter(|e| e.kind() == io::ErrorKind::PermissionDenied && e.get_ref().is_some())
            .map(|e| e.to_string())
    }

    /// The entry for `key`, if there is one as it was written.
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
        // What is used lately is deleted last.
        let _ = file.set_modified(SystemTime::now());
        Ok(bytes)
    }

    /// Keeps an entry, if that can be done.
    pub(crate) fn put(&self, key: &Key, entry: &Entry) {
        if directory::open(&self.directory).is_err() {
            return;
        }
        let bytes = entry.encode(&key.0);
        if bytes.len() as u64 <= self.max_bytes && self.write(&self.path(key), &bytes).is_ok() {
            evict::evict(&self.directory, self.max_bytes);
        }
    }

    /// Whoever reads meanwhile, here or in another process, finds all of it or nothing.
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

    /// Deletes an entry that proved to be of no use.
    pub(crate) fn remove(&self, key: &Key) {
        let _ = fs::remove_file(self.path(key));
    }

    fn path(&self, Key(key): &Key) -> PathBuf {
        let name: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        self.directory.join(format!("{name}.{SUFFIX}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data_image::without_data;
    use crate::fuse::fuse;
    use crate::interruptible::make_interruptible;
    use crate::reusable::make_reusable;

    /// Whoever changes what is compiled for a module, also by an update of what encodes it, sees
    /// this fail: count [`VERSION`] up, and put the hash that is found here.
    #[test]
    fn the_version_is_that_of_what_is_compiled() {
        let text = r#"(module
          (import "extism:host/env" "load_u8" (func $load_u8 (param i64) (result i32)))
          (import "extism:host/env" "load_u64" (func $load_u64 (param i64) (result i64)))
          (import "extism:host/env" "store_u8" (func $store_u8 (param i64 i32)))
          (import "extism:host/env" "store_u64" (func $store_u64 (param i64 i64)))
          (import "extism:host/env" "input_length" (func $length (result i64)))
          (import "extism:host/env" "input_load_u8" (func $input_u8 (param i64) (result i32)))
          (import "extism:host/env" "input_load_u64" (func $input_u64 (param i64) (result i64)))
          (func $load (param i64 i32 i64)
            (loop $turn
              (i32.store8 (local.get 1) (call $load_u8 (local.get 0)))
              (local.set 0 (i64.add (local.get 0) (i64.const 1)))
              (local.set 1 (i32.add (local.get 1) (i32.const 1)))
              (br_if $turn (i64.lt_u (local.get 0) (local.get 2)))))
          (func $store (param i64 i32 i64)
            (loop $turn
              (call $store_u64 (local.get 0) (i64.load (local.get 1)))
              (local.set 0 (i64.add (local.get 0) (i64.const 8)))
              (local.set 1 (i32.add (local.get 1) (i32.const 8)))
              (br_if $turn (i64.ne (local.get 0) (local.get 2)))))
          (func $again (param i64 i32 i64)
            (loop $turn
              (call $store_u64 (local.get 0) (i64.load (local.get 1)))
              (local.set 0 (i64.add (local.get 0) (i64.const 8)))
              (local.set 1 (i32.add (local.get 1) (i32.const 8)))
              (br_if $turn (i64.ne (local.get 0) (local.get 2))))
            (drop (call $load_u8 (local.get 0)))
            (drop (call $load_u8 (local.get 2)))
            (drop (call $load_u8 (i64.const 0))))
          (func $input (param i64 i32 i32)
            (loop $turn
              (i64.store (local.get 1) (call $input_u64 (local.get 0)))
              (local.set 0 (i64.add (local.get 0) (i64.const 8)))
              (local.set 1 (i32.add (local.get 1) (i32.const 8)))
              (br_if $turn (local.tee 2 (i32.add (local.get 2) (i32.const -1)))))
            (call $store_u8 (call $load_u64 (call $length)) (call $input_u8 (local.get 0))))
          (memory 1) (table 9 funcref) (data $d "bytes") (data (i32.const 8) "gone") (elem $e func $run)
          (func $run (param i32 i32 i32)
            (drop (memory.grow (memory.size)))
            (memory.fill (local.get 0) (local.get 1) (local.get 2))
            (memory.copy (local.get 0) (local.get 1) (local.get 2))
            (memory.init $d (local.get 0) (local.get 1) (local.get 2))
            (table.fill (local.get 0) (ref.null func) (local.get 2))
            (table.copy (local.get 0) (local.get 1) (local.get 2))
            (table.init $e (local.get 0) (local.get 1) (local.get 2)))
          (func (export "_start")))"#;
        let command = make_reusable(&wat::parse_str(text).unwrap(), true)
            .unwrap()
            .unwrap();
        let interruptible = make_interruptible(&command).unwrap();
        let fused = fuse(&interruptible, true).unwrap().unwrap();
        let compiled = without_data(&fused).unwrap();
        let hash = Sha256::digest(&compiled);
        let hash: String = hash[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!((VERSION, hash.as_str()), (6, "4a44a7d33ad6dd33"));
    }
}
