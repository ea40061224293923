//! A plugin's variables, which outlive its instances. A reader takes shared references to keys and values, and copies them after
//! it has released the lock.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::error::Stop;
use crate::text;

/// Bytes that each variable counts in addition to its key and value.
const OVERHEAD: u64 = 48;

/// A variable's value.
pub type Value = Arc<Vec<u8>>;

/// All variables, by name.
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
    /// How often the variables were changed.
    version: u64,
}

impl Vars {
    /// No variables yet. They may have at most `max_bytes` in all; with 0, there can be none.
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

    /// A number that changes whenever the variables change.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// Replaces all variables, and returns the old ones.
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

    /// Whether a variable with a name of so many bytes may exist.
    pub(crate) fn may_have(&self, name: usize) -> bool {
        OVERHEAD + name as u64 <= self.max_bytes
    }

    /// Whether a name and a value of so many bytes may fit, without other variables. No value means to delete.
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

    /// Sets a variable, or deletes it if there is no value. Returns the old value.
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
    fn replaced_value_is_counted_once() {
        let mut vars = Vars::new(48 + 1 + 10);
        for _ in 0..3 {
            vars.set("k".into(), Some(vec![0; 10].into()))
                .expect("fits");
        }
        assert!(vars.set("k".into(), Some(vec![0; 11].into())).is_err());
        assert_eq!(vars.get("k"), Some(vec![0; 10].into()));
    }

    #[test]
    fn deleting_a_variable_makes_room_for_another() {
        let mut vars = Vars::new(60);
        vars.set("a".into(), Some(vec![1].into())).expect("fits");
        assert!(vars.set("b".into(), Some(vec![1].into())).is_err());
        vars.set("a".into(), None).expect("deletes");
        vars.set("missing".into(), None).expect("deletes nothing");
        vars.set("b".into(), Some(vec![1].into()))
            .expect("fits now");
    }

    #[test]
    fn limit_of_zero_allows_no_variables() {
        let mut vars = Vars::new(0);
        assert!(vars.set("a".into(), Some(vec![].into())).is_err());
        assert!(vars.set("a".into(), None).is_err());
        assert_eq!(vars.get("a"), None);
    }

    #[test]
    fn variable_that_can_never_fit_is_refused_by_its_length() {
        let vars = Vars::new(60);
        assert!(vars.admits(2, Some(10)).is_ok());
        assert!(vars.admits(3, Some(10)).is_err());
        assert!(vars.admits(usize::MAX >> 1, None).is_ok());
        assert_eq!((vars.may_have(12), vars.may_have(13)), (true, false));
        assert!(Vars::new(0).admits(1, None).is_err());
    }

    #[test]
    fn readers_share_values_and_keep_them_after_a_change() {
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
