//! Lists the plugins and the compiled plugins of this node. Each has an entry as long as its resource lives; the entry does not
//! keep it alive. Making or dropping an entry takes a lock that few share, and allocates nothing but the entry.

use std::sync::{Arc, OnceLock, Weak};
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use rustler::{Atom, Binary, Encoder, Env, LocalPid, NifResult, ResourceArc, Term};
use vitrine_core::{LinkedPlugin, Plugin};

use crate::link::LinkedResource;
use crate::plugin::PluginResource;
use crate::{atoms, bytes};

const SHARDS: usize = 16;

/// The data that is listed for one plugin.
struct Record<T> {
    name: Vec<u8>,
    /// The hash of the main module, as text.
    hash: Vec<u8>,
    owner: Mutex<LocalPid>,
    /// Microseconds of Unix time.
    since: u64,
    what: Weak<T>,
}

struct Shard<T> {
    records: Vec<Option<Arc<Record<T>>>>,
    free: Vec<usize>,
}

struct Registry<T> {
    shards: [Mutex<Shard<T>>; SHARDS],
}

impl<T> Registry<T> {
    const fn new() -> Self {
        Registry {
            shards: [const {
                Mutex::new(Shard {
                    records: Vec::new(),
                    free: Vec::new(),
                })
            }; SHARDS],
        }
    }

    /// All records. Those of one shard are from the same moment.
    fn all(&self) -> Vec<Arc<Record<T>>> {
        let shards = self.shards.iter();
        shards
            .flat_map(|shard| {
                let records = shard.lock().records.clone();
                records.into_iter().flatten()
            })
            .collect()
    }
}

static PLUGINS: Registry<Plugin> = Registry::new();
static COMPILED: Registry<LinkedPlugin> = Registry::new();

/// The place of a record in the registry. Dropping it removes the record.
struct Entry<T: 'static> {
    registry: &'static Registry<T>,
    shard: usize,
    place: usize,
    record: Arc<Record<T>>,
}

impl<T> Entry<T> {
    fn new(registry: &'static Registry<T>, record: Record<T>) -> Self {
        let record = Arc::new(record);
        // The allocator spreads addresses over the shards; nothing spreads processes.
        let shard = (Arc::as_ptr(&record) as usize >> 6) % SHARDS;
        let mut locked = registry.shards[shard].lock();
        let place = match locked.free.pop() {
            Some(place) => place,
            None => {
                locked.records.push(None);
                locked.records.len() - 1
            }
        };
        locked.records[place] = Some(Arc::clone(&record));
        drop(locked);
        Entry {
            registry,
            shard,
            place,
            record,
        }
    }
}

impl<T> Drop for Entry<T> {
    fn drop(&mut self) {
        let mut shard = self.registry.shards[self.shard].lock();
        shard.records[self.place] = None;
        shard.free.push(self.place);
    }
}

/// The entry of a resource, once it has been listed.
pub struct Listed<T: 'static>(OnceLock<Entry<T>>);

impl<T> Listed<T> {
    pub fn new() -> Self {
        Listed(OnceLock::new())
    }

    fn set(&self, registry: &'static Registry<T>, record: Record<T>) {
        self.0.get_or_init(|| Entry::new(registry, record));
    }

    /// Another process owns it from now on.
    pub fn hand_over(&self, owner: LocalPid) {
        if let Some(entry) = self.0.get() {
            *entry.record.owner.lock() = owner;
        }
    }
}

fn record<T>(what: &Arc<T>, name: Binary, hash: Binary, owner: LocalPid) -> Record<T> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Record {
        name: name.to_vec(),
        hash: hash.to_vec(),
        owner: Mutex::new(owner),
        since: since.map_or(0, |since| {
            u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
        }),
        what: Arc::downgrade(what),
    }
}

/// Lists a plugin of the process `owner` under its name and hash.
#[rustler::nif]
fn plugin_list(
    plugin: ResourceArc<PluginResource>,
    name: Binary,
    hash: Binary,
    owner: LocalPid,
) -> Atom {
    let record = record(&plugin.0, name, hash, owner);
    plugin.1.set(&PLUGINS, record);
    atoms::ok()
}

/// Lists a compiled plugin.
#[rustler::nif]
fn links_list(
    env: Env<'_>,
    links: ResourceArc<LinkedResource>,
    name: Binary,
    hash: Binary,
) -> Atom {
    let record = record(&links.0, name, hash, env.pid());
    links.1.set(&COMPILED, record);
    atoms::ok()
}

/// All plugins that are not closed, `{{name, hash, owner, since}, idle?, calls, memory, fuel}` each, and all compiled plugins,
/// `{name, hash, owner, since}` each.
#[rustler::nif(schedule = "DirtyCpu")]
fn list_all(env: Env<'_>) -> NifResult<Term<'_>> {
    let mut plugins = Term::list_new_empty(env);
    for record in PLUGINS.all() {
        let Some(plugin) = record.what.upgrade() else {
            continue;
        };
        if plugin.is_closed() {
            continue;
        }
        let (idle, stats) = (plugin.is_idle(), plugin.stats());
        let (name, hash) = (
            bytes::copy(env, &record.name),
            bytes::copy(env, &record.hash),
        );
        let row = (
            (name, hash, *record.owner.lock(), record.since),
            idle,
            stats.calls,
            stats.memory,
            stats.fuel,
        );
        plugins = plugins.list_prepend(row.encode(env));
    }
    let mut compiled = Term::list_new_empty(env);
    for record in COMPILED.all() {
        if record.what.strong_count() > 0 {
            let (name, hash) = (
                bytes::copy(env, &record.name),
                bytes::copy(env, &record.hash),
            );
            let row = (name, hash, *record.owner.lock(), record.since);
            compiled = compiled.list_prepend(row.encode(env));
        }
    }
    Ok((plugins, compiled).encode(env))
}
