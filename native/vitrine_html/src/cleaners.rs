//! Keeps sanitisers: making one takes longer than cleaning a short document with it.

use std::sync::Arc;

use parking_lot::Mutex;

use super::clean::Cleaner;
use super::policy::Policy;

/// The sanitisers that were used last.
const KEPT: usize = 64;

type Kept = Vec<(Policy, Arc<Cleaner<'static>>)>;

static CLEANERS: Mutex<Kept> = Mutex::new(Vec::new());

/// Runs `work` with the sanitiser for a policy.
pub fn with<R>(policy: &Policy, work: impl FnOnce(&Cleaner<'_>) -> R) -> R {
    if let Some(kept) = kept(policy) {
        return work(&kept);
    }
    let Some(owned) = Cleaner::owned(policy) else {
        return work(&Cleaner::new(policy));
    };
    let cleaner = Arc::new(owned);
    let mut cleaners = CLEANERS.lock();
    if cleaners.len() >= KEPT {
        cleaners.remove(0);
    }
    cleaners.push((policy.clone(), Arc::clone(&cleaner)));
    drop(cleaners);
    work(&cleaner)
}

fn kept(policy: &Policy) -> Option<Arc<Cleaner<'static>>> {
    let cleaners = CLEANERS.lock();
    let found = cleaners.iter().find(|(own, _)| own.same_rules(policy));
    found.map(|(_, cleaner)| Arc::clone(cleaner))
}
