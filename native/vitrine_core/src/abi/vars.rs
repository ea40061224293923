//! A plugin's variables: they outlive its instances.

use std::collections::BTreeMap;

use crate::error::Stop;
use crate::text;

/// What an entry is counted with, besides its key and value.
const OVERHEAD: u64 = 48;

/// A plugin's variables, limited in total size.
#[derive(Debug, Clone, Default)]
pub struct Vars {
    entries: BTreeMap<String, Vec<u8>>,
    max_bytes: u64,
    used: u64,
    /// How often they were changed.
    version: u64,
}

impl Vars {
    /// No variables; at most `max_bytes` in all, 0 for none.
    pub fn new(max_bytes: u64) -> Self {
        Vars {
            entries: BTreeMap::new(),
            max_bytes,
            used: 0,
            version: 0,
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&[u8]> {
        self.entries.get(key).map(Vec::as_slice)
    }

    pub(crate) fn all(&self) -> &BTreeMap<String, Vec<u8>> {
        &self.entries
    }

    /// The bytes that count against the limit.
    pub(crate) fn used(&self) -> u64 {
        self.used
    }

    /// Another number after each change.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// Puts others in the place of all.
    pub(crate) fn replace(&mut self, entries: BTreeMap<String, Vec<u8>>) -> Result<(), Stop> {
        if self.max_bytes == 0 && !entries.is_empty() {
            return Err(Stop::Abi("Vars are disabled by this host".into()));
        }
        let used = entries.iter().map(|(key, value)| size(key, value)).sum();
        if used > self.max_bytes {
            return Err(Stop::Abi(format!(
                "Variable store is full: it would be {used} bytes of at most {}",
                self.max_bytes
            )));
        }
        (self.entries, self.used) = (entries, used);
        self.version += 1;
        Ok(())
    }

    pub(crate) fn set(&mut self, key: String, value: Option<Vec<u8>>) -> Result<(), Stop> {
        if self.max_bytes == 0 {
            return Err(Stop::Abi("Vars are disabled by this host".into()));
        }
        let freed = self.get(&key).map_or(0, |old| size(&key, old));
        let Some(value) = value else {
            self.entries.remove(&key);
            self.used -= freed;
            self.version += 1;
            return Ok(());
        };
        let used = self.used - freed + size(&key, &value);
        if used > self.max_bytes {
            let key = text::shown(key.as_bytes(), text::NAME);
            return Err(Stop::Abi(format!(
                "Variable store is full: {key:?} would make it {used} bytes of at most {}",
                self.max_bytes
            )));
        }
        self.used = used;
        self.version += 1;
        self.entries.insert(key, value);
        Ok(())
    }
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
            vars.set("k".into(), Some(vec![0; 10])).expect("fits");
        }
        assert!(vars.set("k".into(), Some(vec![0; 11])).is_err());
        assert_eq!(vars.get("k"), Some(&[0; 10][..]));
    }

    #[test]
    fn deleting_makes_room() {
        let mut vars = Vars::new(60);
        vars.set("a".into(), Some(vec![1])).expect("fits");
        assert!(vars.set("b".into(), Some(vec![1])).is_err());
        vars.set("a".into(), None).expect("deletes");
        vars.set("missing".into(), None).expect("deletes nothing");
        vars.set("b".into(), Some(vec![1])).expect("fits now");
    }

    #[test]
    fn none_at_all_may_be_allowed() {
        let mut vars = Vars::new(0);
        assert!(vars.set("a".into(), Some(vec![])).is_err());
        assert!(vars.set("a".into(), None).is_err());
        assert_eq!(vars.get("a"), None);
    }
}
