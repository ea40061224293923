//! A plugin's variables: they outlive its instances. Who reads them takes shares of keys and values, and
//! copies those when nobody waits for the lock any more.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::error::Stop;
use crate::text;

/// What an entry is counted with, besides its key and value.
const OVERHEAD: u64 = 48;

/// A variable's value.
pub type Value = Arc<Vec<u8>>;

/// What variables there are.
#[derive(Debug, Clone, Default)]
pub(crate) struct Entries {
    values: BTreeMap<Arc<str>, Value>,
    /// The bytes that count against the limit.
    used: u64,
}

impl FromIterator<(String, Vec<u8>)> for Entries {
    fn from_iter<I: IntoIterator<Item = (String, Vec<u8>)>>(pairs: I) -> Entries {
        let pairs = pairs.into_iter();
        let values: BTreeMap<Arc<str>, Value> = pairs
            .map(|(key, value)| (key.into(), value.into()))
            .collect();
        let used = values.iter().map(|(key, value)| size(key, value)).sum();
        Entries { values, used }
    }
}

/// A plugin's variables, limited in total size.
#[derive(Debug, Clone, Default)]
pub struct Vars {
    entries: Entries,
    max_bytes: u64,
    /// How often they were changed.
    version: u64,
}

impl Vars {
    /// No variables; at most `max_bytes` in all, 0 for none.
    pub fn new(max_bytes: u64) -> Self {
        Vars {
            entries: Entries::default(),
            max_bytes,
            version: 0,
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<Value> {
        self.entries.values.get(key).cloned()
    }

    /// All names and values.
    pub(crate) fn all(&self) -> Vec<(Arc<str>, Value)> {
        let all = self.entries.values.iter();
        all.map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }

    /// The bytes that count against the limit.
    pub(crate) fn used(&self) -> u64 {
        self.entries.used
    }

    /// Another number after each change.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// Puts others in the place of all, which are given back.
    pub(crate) fn replace(&mut self, entries: Entries) -> Result<Entries, Stop> {
        if self.max_bytes == 0 && !entries.values.is_empty() {
            return Err(disabled());
        }
        if entries.used > self.max_bytes {
            return Err(Stop::Abi(format!(
                "Variable store is full: it would be {} bytes; the limit is {limit} bytes \
                 (memory: %{{max_var_bytes: {limit}}})",
                entries.used,
                limit = self.max_bytes
            )));
        }
        self.version += 1;
        Ok(std::mem::replace(&mut self.entries, entries))
    }

    /// Whether there may be a variable with a name of so many bytes.
    pub(crate) fn may_have(&self, name: usize) -> bool {
        OVERHEAD + name as u64 <= self.max_bytes
    }

    /// Whether a name and a value of so many bytes may fit, by themselves; no value deletes.
    pub(crate) fn admits(&self, name: usize, value: Option<usize>) -> Result<(), Stop> {
        if self.max_bytes == 0 {
            return Err(disabled());
        }
        let Some(value) = value else { return Ok(()) };
        let (wanted, limit) = (OVERHEAD + name as u64 + value as u64, self.max_bytes);
        if wanted <= limit {
            return Ok(());
        }
        Err(Stop::Abi(format!(
            "Variable store is full: a name of {name} bytes and a value of {value} bytes count as {wanted} bytes; \
             the limit is {limit} bytes (memory: %{{max_var_bytes: {limit}}})"
        )))
    }

    /// Sets a variable, or deletes it if there is no value; the old value is given back.
    pub(crate) fn set(&mut self, key: String, value: Option<Value>) -> Result<Option<Value>, Stop> {
        if self.max_bytes == 0 {
            return Err(disabled());
        }
        let Entries { values, used } = &mut self.entries;
        let freed = values.get(&*key).map_or(0, |old| size(&key, old));
        let Some(value) = value else {
            *used -= freed;
            self.version += 1;
            return Ok(values.remove(&*key));
        };
        let wanted = *used - freed + size(&key, &value);
        if wanted > self.max_bytes {
            let key = text::quoted(&key);
            return Err(Stop::Abi(format!(
                "Variable store is full: {key} would make it {wanted} bytes; the limit is {limit} bytes \
                 (memory: %{{max_var_bytes: {limit}}})",
                limit = self.max_bytes
            )));
        }
        *used = wanted;
        self.version += 1;
        Ok(values.insert(key.into(), value))
    }
}

fn disabled() -> Stop {
    Stop::Abi("Vars are disabled by this host (memory: %{max_var_bytes: 0})".into())
}

fn size(key: &str, value: &[u8]) -> u64 {
    OVERHEAD + key.len() as u64 + value.len() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_value_is_counted_once() {
        let mut vars = Vars::new(48 + 1 + 10);
        for _ in 0..3 {
            vars.set("k".into(), Some(vec![0; 10].into()))
                .expect("fits");
        }
        assert!(vars.set("k".into(), Some(vec![0; 11].into())).is_err());
        assert_eq!(vars.get("k"), Some(vec![0; 10].into()));
    }

    #[test]
    fn deleting_makes_room() {
        let mut vars = Vars::new(60);
        vars.set("a".into(), Some(vec![1].into())).expect("fits");
        assert!(vars.set("b".into(), Some(vec![1].into())).is_err());
        vars.set("a".into(), None).expect("deletes");
        vars.set("missing".into(), None).expect("deletes nothing");
        vars.set("b".into(), Some(vec![1].into()))
            .expect("fits now");
    }

    #[test]
    fn none_at_all_may_be_allowed() {
        let mut vars = Vars::new(0);
        assert!(vars.set("a".into(), Some(vec![].into())).is_err());
        assert!(vars.set("a".into(), None).is_err());
        assert_eq!(vars.get("a"), None);
    }

    #[test]
    fn what_can_never_fit_is_known_by_its_length() {
        let vars = Vars::new(60);
        assert!(vars.admits(2, Some(10)).is_ok());
        assert!(vars.admits(3, Some(10)).is_err());
        assert!(vars.admits(usize::MAX >> 1, None).is_ok());
        assert_eq!((vars.may_have(12), vars.may_have(13)), (true, false));
        assert!(Vars::new(0).admits(1, None).is_err());
    }

    #[test]
    fn who_reads_shares_what_is_there_and_keeps_it() {
        let mut vars = Vars::new(1_000);
        vars.set("a".into(), Some(vec![1].into())).expect("fits");
        let (read, all) = (vars.get("a").expect("is there"), vars.all());
        assert!(Arc::ptr_eq(&read, &all[0].1));
        let old = vars.set("a".into(), Some(vec![2].into())).expect("fits");
        assert!(old.is_some_and(|old| Arc::ptr_eq(&old, &read)));
        let others = [("b".into(), vec![3])].into_iter().collect();
        let old = vars.replace(others).expect("fits");
        assert_eq!((vars.get("a"), vars.used()), (None, 48 + 1 + 1));
        assert_eq!(old.used, 48 + 1 + 1);
        assert_eq!(all, [("a".into(), vec![1].into())]);
    }
}
