//! How much a plugin may add to a directory. Counted is what the plugin does, and not what is there.

use parking_lot::Mutex;

/// What a plugin may add to a directory and all in it, all its instances together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Quota {
    /// Bytes by which files grow.
    pub max_bytes: Option<u64>,
    /// Files, directories and links.
    pub max_files: Option<u64>,
}

impl Quota {
    pub(super) fn is_bounded(&self) -> bool {
        self.max_bytes.is_some() || self.max_files.is_some()
    }
}

/// What of a quota is used.
pub(crate) struct Account {
    quota: Quota,
    used: Mutex<Amount>,
}

/// Some bytes and files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Amount {
    pub(super) bytes: u64,
    pub(super) files: u64,
}

impl Amount {
    pub(super) const FILE: Amount = Amount { bytes: 0, files: 1 };

    pub(super) fn bytes(bytes: u64) -> Amount {
        Amount { bytes, files: 0 }
    }
}

impl Account {
    pub(crate) fn new(quota: Quota) -> Account {
        Account {
            quota,
            used: Mutex::default(),
        }
    }

    /// Uses some more, if there is that much.
    pub(super) fn take(&self, more: Amount) -> bool {
        let mut used = self.used.lock();
        let bytes = used.bytes.saturating_add(more.bytes);
        let files = used.files.saturating_add(more.files);
        let fits = |wanted, taken, limit: Option<u64>| {
            taken == 0 || limit.is_none_or(|most| wanted <= most)
        };
        let both = fits(bytes, more.bytes, self.quota.max_bytes)
            && fits(files, more.files, self.quota.max_files);
        if both {
            *used = Amount { bytes, files };
        }
        both
    }

    /// Has some less to answer for. What the plugin removes of others' is not added to its limit.
    pub(super) fn give(&self, less: Amount) {
        let mut used = self.used.lock();
        used.bytes = used.bytes.saturating_sub(less.bytes);
        used.files = used.files.saturating_sub(less.files);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_taken_than_the_limit_and_no_more_is_given_back_than_was_taken() {
        let account = Account::new(Quota {
            max_bytes: Some(10),
            max_files: Some(1),
        });
        assert!(account.take(Amount::bytes(10)));
        assert!(!account.take(Amount::bytes(1)));
        account.give(Amount::bytes(100));
        assert!(account.take(Amount::bytes(10)));
        assert!(!account.take(Amount::bytes(u64::MAX)));
        assert!(account.take(Amount::FILE));
        assert!(!account.take(Amount::FILE));
        // Of what is used up, nothing is wanted.
        assert!(account.take(Amount::bytes(0)));
    }

    #[test]
    fn what_has_no_limit_has_none() {
        let account = Account::new(Quota {
            max_bytes: None,
            max_files: Some(0),
        });
        assert!(account.take(Amount::bytes(u64::MAX)));
        assert!(!account.take(Amount::FILE));
    }
}
