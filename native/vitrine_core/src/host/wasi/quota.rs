//! How much a plugin may add to a directory. The plugin's own changes are counted, and not what is in the directory.

use parking_lot::Mutex;

/// How much all instances of a plugin together may add to a directory and everything in it.
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

/// A quota, and how much of it is used.
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

    /// Uses some more of the quota. False if there is not so much left.
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

    /// Uses some less of the quota. The used amount does not fall below zero, so removing files of others does not raise the limit.
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
    fn used_amount_stays_between_zero_and_the_limit() {
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
        // Nothing more is wanted of the bytes, which are used up.
        assert!(account.take(Amount::bytes(0)));
    }

    #[test]
    fn bytes_without_a_limit_are_unbounded_and_files_with_a_limit_of_zero_are_refused() {
        let account = Account::new(Quota {
            max_bytes: None,
            max_files: Some(0),
        });
        assert!(account.take(Amount::bytes(u64::MAX)));
        assert!(!account.take(Amount::FILE));
    }
}
