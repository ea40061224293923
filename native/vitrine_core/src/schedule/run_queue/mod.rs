//! The permits for the BEAM's dirty CPU schedulers, and the queue of processes that wait for one.
//!
//! The BEAM has one queue for all of its dirty CPU schedulers, in order of arrival. NIFs of other libraries and large garbage
//! collections stand in it, too. So no more of Vitrine's work goes there than there are schedulers: each piece of work needs a
//! permit. The rest waits here, in order of arrival. A process has one place in this queue, so callers take turns.
//!
//! A process that waits is invited by a message, and takes its permit when it comes. Until then the permit belongs to no
//! process. If an invitation is not taken up soon, because the process is suspended, starved or dying, another process is
//! invited. The first one may still come late.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use parking_lot::Mutex;

use crate::schedule::budget;
use crate::schedule::clock;

mod permit;

pub use permit::Permit;

/// How long an invitation keeps a permit from others.
const PATIENCE: Duration = Duration::from_millis(5);
/// How long a process that has taken a permit may be on its way to a scheduler. It stands in the BEAM's queue, or was
/// suspended at that moment.
const LOST: Duration = Duration::from_secs(1);

type Id = u64;

/// Tells a process that it is invited. False if the process is gone, or if this thread cannot send, because the process that it
/// works for is being killed.
pub type Invite = Box<dyn FnMut() -> bool + Send>;

struct State {
    /// The number of permits.
    limit: usize,
    taken: usize,
    next: Id,
    waiting: BTreeMap<Id, Invite>,
    /// Processes that were invited, and when.
    invited: BTreeMap<Id, u64>,
    /// Processes that have taken a permit and do not use it yet, and since when.
    coming: BTreeMap<Id, u64>,
}

impl State {
    fn free(&self) -> bool {
        self.taken + self.invited.len() < self.limit
    }

    fn take(&mut self, id: Id, now: u64) {
        self.taken += 1;
        self.coming.insert(id, now);
    }

    fn return_permit(&mut self, now: u64) {
        self.taken = self.taken.saturating_sub(1);
        self.invite(now);
    }

    /// Invites processes while permits are free. The lock is held, so no invitation is out of date when it is sent. If this
    /// thread cannot send one, the ticker does, which runs while a process waits.
    fn invite(&mut self, now: u64) {
        while self.free()
            && let Some(mut first) = self.waiting.first_entry()
            && first.get_mut()()
        {
            let (id, _invite) = first.remove_entry();
            self.invited.insert(id, now);
        }
    }

    fn reclaim(&mut self, now: u64) {
        while let Some(first) = self.invited.first_entry()
            && is_over(*first.get(), PATIENCE, now)
        {
            first.remove();
        }
        while let Some(first) = self.coming.first_entry()
            && is_over(*first.get(), LOST, now)
        {
            first.remove();
            self.taken = self.taken.saturating_sub(1);
        }
        self.invite(now);
        // A process that the ticker cannot tell is gone.
        while self.free() && self.waiting.pop_first().is_some() {
            self.invite(now);
        }
    }

    fn wanted(&self) -> usize {
        self.taken + self.invited.len() + self.waiting.len()
    }
}

fn is_over(since: u64, span: Duration, now: u64) -> bool {
    u128::from(now.saturating_sub(since)) > span.as_nanos()
}

/// The numbers of permits, and of processes that want one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// All permits: as many as there are dirty CPU schedulers.
    pub limit: usize,
    /// Permits that are taken.
    pub taken: usize,
    /// Processes that were invited to take one and have not come yet.
    pub invited: usize,
    /// Processes that wait.
    pub waiting: usize,
}

struct RunQueue(Mutex<State>);

static QUEUE: LazyLock<RunQueue> = LazyLock::new(|| {
    // As many as the BEAM makes by default, until a caller says how many there are.
    RunQueue::new(std::thread::available_parallelism().map_or(1, |n| n.get()))
});

impl RunQueue {
    fn new(limit: usize) -> RunQueue {
        RunQueue(Mutex::new(State {
            limit,
            taken: 0,
            next: 0,
            waiting: BTreeMap::new(),
            invited: BTreeMap::new(),
            coming: BTreeMap::new(),
        }))
    }

    fn counts(&self) -> Counts {
        let state = self.0.lock();
        Counts {
            limit: state.limit,
            taken: state.taken,
            invited: state.invited.len(),
            waiting: state.waiting.len(),
        }
    }
}

/// The present numbers of permits, and of processes that want one.
pub fn permits() -> Counts {
    QUEUE.counts()
}

/// Nanoseconds of the next slice on a dirty scheduler.
pub(crate) fn budget() -> u64 {
    let state = QUEUE.0.lock();
    budget::dirty_budget(state.limit, state.wanted())
}

/// Invites other processes in the place of those that do not come. True if a process waits or is invited.
pub(crate) fn reclaim() -> bool {
    let mut state = QUEUE.0.lock();
    if state.invited.is_empty() && state.waiting.is_empty() {
        return false;
    }
    state.reclaim(clock::now());
    true
}

#[cfg(test)]
mod tests;
