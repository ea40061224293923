//! Who may go to the BEAM's dirty CPU schedulers, and who waits for that.
//!
//! The BEAM has one queue for all of its dirty CPU schedulers, in order of arrival, and other libraries' NIFs and
//! large garbage collections stand in it, too. So no more of our work goes there than there are schedulers: it has
//! permits. The rest waits here, in order of arrival: a process has one place, so callers take turns.
//!
//! A process that waits is invited, by a message, and takes its permit when it comes. Until then the permit is
//! nobody's: an invitation that is not taken up soon (the process is suspended, starved or dying) is followed by
//! another, and may be taken up late.

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
/// How long who has taken a permit may be on its way to a scheduler. It stands in the BEAM's queue, or was suspended
/// just then.
const LOST: Duration = Duration::from_secs(1);

type Id = u64;

/// Tells a process that it is invited. False if this thread cannot, because the process that it works for is being
/// ended, or if there is nobody to tell.
pub type Invite = Box<dyn FnMut() -> bool + Send>;

struct State {
    /// How many permits there are.
    limit: usize,
    taken: usize,
    next: Id,
    waiting: BTreeMap<Id, Invite>,
    /// Who was invited, and when.
    invited: BTreeMap<Id, u64>,
    /// Who has taken a permit and does not use it yet, and since when.
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

    fn put_back(&mut self, now: u64) {
        self.taken = self.taken.saturating_sub(1);
        self.invite(now);
    }

    /// Under the lock, so that nobody is told of what is not so any more. What cannot be told here the ticker tells,
    /// which sees to it while somebody waits.
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
        // Whom the ticker cannot tell is gone.
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

/// What permits there are and who wants them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Permits, as many as there are dirty CPU schedulers.
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
    // As many as the BEAM makes, until somebody says how many there are.
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

/// What permits there are and who wants them now.
pub fn permits() -> Counts {
    QUEUE.counts()
}

/// Nanoseconds of the next slice on a dirty scheduler.
pub(crate) fn budget() -> u64 {
    let state = QUEUE.0.lock();
    budget::dirty_budget(state.limit, state.wanted())
}

/// Invites others in the place of who does not come. Whether somebody waits.
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
