//! The cache of native code on disk. An entry is only run if it is exactly what was written, by a user who could run code
//! anyway.
#![cfg(unix)]
// A test that panics is a test that fails.
#![allow(clippy::unwrap_used)]

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, mpsc};
use std::time::{Duration, SystemTime};

use vitrine_core::{Cache, CompileOptions, CompiledModule, Origin, Settings, Stage, compile};
use vitrine_test_support as support;

/// A directory that is deleted at the end.
struct Temporary(PathBuf);

impl Temporary {
    fn new() -> Temporary {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "vitrine-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Relaxed)
        );
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        Temporary(path)
    }

    fn cache(&self) -> Cache {
        self.cache_of(1 << 30)
    }

    fn cache_of(&self, max_bytes: u64) -> Cache {
        Cache {
            directory: self.0.join("native"),
            max_bytes,
        }
    }

    fn entries(&self) -> Vec<PathBuf> {
        let Ok(found) = fs::read_dir(self.0.join("native")) else {
            return Vec::new();
        };
        let mut found: Vec<_> = found.map(|entry| entry.unwrap().path()).collect();
        found.sort();
        found
    }

    fn entry(&self) -> PathBuf {
        let [entry] = &self.entries()[..] else {
            panic!("there should be one entry: {:?}", self.entries());
        };
        entry.clone()
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn compile_with(
    text: &str,
    options: CompileOptions,
    cache: &Cache,
) -> (Arc<CompiledModule>, Origin) {
    support::compiled_with(text, options, Some(cache.clone())).unwrap()
}

/// Compiles a module and drops it, so that the next time it comes from the cache or is compiled again. No other test may
/// use the same text, because a module in use would be shared.
fn load(text: &str, cache: &Cache) -> Origin {
    let (compiled, origin) = compile_with(text, CompileOptions::default(), cache);
    assert_eq!(compiled.functions(), ["run"]);
    let weak = Arc::downgrade(&compiled);
    drop(compiled);
    while weak.strong_count() > 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    origin
}

/// Whether loading used the entry. If it was written again, it is another file.
fn found(text: &str, cache: &Cache, entry: &Path) -> bool {
    let file = |path: &Path| fs::metadata(path).map(|about| about.ino()).ok();
    let before = file(entry);
    let origin = load(text, cache);
    let found = before.is_some() && file(entry) == before;
    assert_eq!(origin == Origin::Disk, found, "{origin:?}");
    found
}

fn module(name: &str) -> String {
    format!(
        r#"(module (; {name} ;) (memory 1) (func (export "run")
      (memory.fill (i32.const 0) (i32.const 1) (memory.size))))"#
    )
}

#[test]
fn a_compiled_module_is_found_in_the_cache() {
    let (temporary, text) = (Temporary::new(), module("found"));
    let cache = temporary.cache();
    load(&text, &cache);
    let entry = temporary.entry();
    assert!(found(&text, &cache, &entry));
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!(mode(&entry), 0o600);
    assert_eq!(mode(&cache.directory), 0o700);
}

#[test]
fn the_origin_of_code_is_compiler_disk_or_memory() {
    let (temporary, text) = (Temporary::new(), module("origin"));
    let cache = temporary.cache();
    assert_eq!(load(&text, &cache), Origin::Compiler);
    let options = CompileOptions::default();
    let (_used, origin) = compile_with(&text, options, &cache);
    assert_eq!(origin, Origin::Disk);
    assert_eq!(compile_with(&text, options, &cache).1, Origin::Memory);
}

#[test]
fn concurrent_requests_for_a_module_compile_it_once() {
    let (temporary, text) = (Temporary::new(), module("waiters"));
    let (done, outcomes) = mpsc::channel();
    for _ in 0..8 {
        let (bytes, done) = (text.clone().into_bytes(), done.clone());
        let cache = Some(temporary.cache());
        compile(bytes, CompileOptions::default(), cache, move |outcome| {
            done.send(outcome.unwrap()).unwrap();
        });
    }
    let outcomes: Vec<_> = outcomes.iter().take(8).collect();
    let of = |wanted| {
        outcomes
            .iter()
            .filter(|(_, origin)| *origin == wanted)
            .count()
    };
    assert_eq!((of(Origin::Compiler), of(Origin::Memory)), (1, 7));
}

#[test]
fn each_combination_of_options_has_its_own_entry() {
    let (temporary, text) = (Temporary::new(), module("settings"));
    let cache = temporary.cache();
    for fuel in [false, true] {
        for library in [false, true] {
            let settings = Settings {
                fuel,
                ..Settings::default()
            };
            for stage in [None, Some(Stage::Draft), Some(Stage::Snapshot)] {
                let options = CompileOptions {
                    settings,
                    library,
                    stage,
                    ..CompileOptions::default()
                };
                compile_with(&text, options, &cache);
            }
        }
    }
    assert_eq!(temporary.entries().len(), 12);
}

#[test]
fn a_damaged_entry_is_replaced() {
    let (temporary, text) = (Temporary::new(), module("damaged"));
    let cache = temporary.cache();
    load(&text, &cache);
    let entry = temporary.entry();
    let whole = fs::read(&entry).unwrap();
    let mut damages: Vec<Vec<u8>> = vec![Vec::new(), vec![0; 100], b"junk".to_vec()];
    for length in [1, 40, 80, 81, whole.len() / 2, whole.len() - 1] {
        damages.push(whole[..length].to_vec());
    }
    for byte in [0, 20, 60, 80, 81, 200, whole.len() / 2, whole.len() - 1] {
        let mut flipped = whole.clone();
        flipped[byte] ^= 4;
        damages.push(flipped);
    }
    for damage in damages {
        fs::write(&entry, &damage).unwrap();
        let before = fs::metadata(&entry).unwrap().ino();
        // So that its inode is not given to the next.
        let kept = temporary.0.join("kept");
        let _ = fs::remove_file(&kept);
        fs::hard_link(&entry, &kept).unwrap();
        load(&text, &cache);
        assert_ne!(fs::metadata(&entry).unwrap().ino(), before);
        assert_eq!(fs::read(&entry).unwrap().len(), whole.len());
        assert!(found(&text, &cache, &entry));
    }
}

#[test]
fn an_entry_in_the_place_of_another_is_not_taken_for_it() {
    let temporary = Temporary::new();
    let cache = temporary.cache();
    let (text, other) = (
        module("swapped"),
        module("other").replace("\"run\"", "\"evil\""),
    );
    compile_with(&other, CompileOptions::default(), &cache);
    let evil = temporary.entry();
    load(&text, &cache);
    let entries = temporary.entries();
    let entry = entries.iter().find(|path| **path != evil).unwrap();
    fs::copy(&evil, entry).unwrap();
    load(&text, &cache);
    assert_ne!(fs::read(entry).unwrap(), fs::read(&evil).unwrap());
}

#[test]
fn an_entry_of_another_version_of_wasmtime_is_replaced() {
    // A whole entry, with all checksums right, whose code is of another version.
    let (temporary, text) = (Temporary::new(), module("foreign"));
    let cache = temporary.cache();
    load(&text, &cache);
    let entry = temporary.entry();
    let whole = fs::read(&entry).unwrap();
    let mut foreign = whole.clone();
    // The format's version, a length, and Wasmtime's.
    let at = foreign.windows(4).position(|bytes| bytes == b"\x00\x0248");
    foreign[at.unwrap() + 3] = b'7';
    resum(&mut foreign);
    fs::write(&entry, &foreign).unwrap();
    load(&text, &cache);
    assert_eq!(fs::read(&entry).unwrap().len(), whole.len());
    assert_ne!(fs::read(&entry).unwrap(), foreign);
    // The test only means something if the checksum is right.
    let mut same = whole.clone();
    resum(&mut same);
    assert_eq!(same, whole);
}

/// Writes the checksum that is right for the rest.
fn resum(entry: &mut [u8]) {
    use sha2::{Digest, Sha256};
    let sum: [u8; 32] = Sha256::new()
        .chain_update(&entry[16..48])
        .chain_update(&entry[80..])
        .finalize()
        .into();
    entry[48..80].copy_from_slice(&sum);
}

#[test]
fn a_cache_directory_that_cannot_be_used_is_ignored() {
    let (temporary, text) = (Temporary::new(), module("unusable"));
    fs::write(temporary.0.join("file"), "").unwrap();
    let directories = ["file", "file/below", "\0", "/proc/vitrine", "/dev/null/x"];
    for directory in directories {
        let cache = Cache {
            directory: temporary.0.join(directory),
            max_bytes: 1 << 30,
        };
        load(&text, &cache);
        assert_eq!(cache.fault(), None, "{directory}");
    }
}

#[test]
fn an_entry_that_is_not_a_file_is_not_used() {
    let (temporary, text) = (Temporary::new(), module("directory"));
    let cache = temporary.cache();
    load(&text, &cache);
    let entry = temporary.entry();
    fs::remove_file(&entry).unwrap();
    fs::create_dir(&entry).unwrap();
    load(&text, &cache);
    fs::remove_dir(&entry).unwrap();
    // A file that is elsewhere is not what was written here.
    let elsewhere = temporary.0.join("elsewhere");
    load(&text, &cache);
    fs::rename(&entry, &elsewhere).unwrap();
    symlink(&elsewhere, &entry).unwrap();
    load(&text, &cache);
    assert!(fs::symlink_metadata(&entry).unwrap().is_file());
    // Nothing that was begun is left.
    assert_eq!(temporary.entries(), [entry]);
}

#[test]
fn a_cache_directory_that_others_can_write_to_is_not_trusted() {
    let (temporary, text) = (Temporary::new(), module("writable"));
    let cache = temporary.cache();
    fs::create_dir(&cache.directory).unwrap();
    for mode in [0o777, 0o770, 0o1777, 0o702] {
        fs::set_permissions(&cache.directory, Permissions::from_mode(mode)).unwrap();
        load(&text, &cache);
        assert_eq!(temporary.entries(), Vec::<PathBuf>::new());
        let fault = cache.fault().unwrap();
        assert!(fault.contains("can be written to by others"), "{fault}");
    }
    fs::set_permissions(&cache.directory, Permissions::from_mode(0o755)).unwrap();
    assert_eq!(cache.fault(), None);
    load(&text, &cache);
    assert_eq!(temporary.entries().len(), 1);
    // A user who can write to the parent can replace the directory.
    fs::set_permissions(&temporary.0, Permissions::from_mode(0o777)).unwrap();
    assert!(cache.fault().is_some());
    fs::set_permissions(&temporary.0, Permissions::from_mode(0o1777)).unwrap();
    assert_eq!(cache.fault(), None);
}

#[test]
fn a_cache_directory_of_another_user_is_not_trusted() {
    let (temporary, text) = (Temporary::new(), module("stranger"));
    let cache = temporary.cache();
    fs::create_dir(&cache.directory).unwrap();
    // Only root can give directories away.
    if std::os::unix::fs::chown(&cache.directory, Some(12_345), None).is_ok() {
        let fault = cache.fault().unwrap();
        assert!(fault.contains("belongs to another user"), "{fault}");
        load(&text, &cache);
        assert_eq!(temporary.entries(), Vec::<PathBuf>::new());
    }
}

#[test]
fn the_least_recently_used_entry_is_deleted_first() {
    let temporary = Temporary::new();
    let texts: Vec<_> = (0..4).map(|n| module(&format!("evicted {n}"))).collect();
    let mut entries = Vec::new();
    for (age, text) in [300, 200, 100].into_iter().zip(&texts) {
        load(text, &temporary.cache());
        let new = temporary.entries();
        let new = new.into_iter().find(|path| !entries.contains(path));
        entries.push(new.unwrap());
        let file = fs::File::options()
            .append(true)
            .open(entries.last().unwrap());
        let used = SystemTime::now() - Duration::from_secs(age);
        file.unwrap().set_modified(used).unwrap();
    }
    // The oldest is used, so the second is the first to go.
    assert!(found(&texts[0], &temporary.cache(), &entries[0]));
    let size = fs::metadata(&entries[0]).unwrap().len();
    load(&texts[3], &temporary.cache_of(size * 7 / 2));
    let there: Vec<_> = entries.iter().map(|entry| entry.exists()).collect();
    assert_eq!(there, [true, false, true]);
    assert_eq!(temporary.entries().len(), 3);
    // An entry that is larger than the whole cache is not kept.
    let other = Temporary::new();
    load(&texts[3], &other.cache_of(size / 2));
    assert_eq!(other.entries(), Vec::<PathBuf>::new());
}

#[test]
fn old_partial_files_are_deleted() {
    let (temporary, text) = (Temporary::new(), module("abandoned"));
    let cache = temporary.cache();
    fs::create_dir(&cache.directory).unwrap();
    fs::set_permissions(&cache.directory, Permissions::from_mode(0o700)).unwrap();
    let (old, new) = (
        cache.directory.join("1.part"),
        cache.directory.join("2.part"),
    );
    for (path, age) in [(&old, 7200), (&new, 60)] {
        let file = fs::File::create(path).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(age))
            .unwrap();
    }
    load(&text, &cache);
    assert_eq!((old.exists(), new.exists()), (false, true));
}
