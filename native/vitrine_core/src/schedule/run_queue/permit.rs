//! The permit of one process, from asking for it to returning it.

use super::{Id, Invite, QUEUE, RunQueue};
use crate::schedule::clock;
use crate::schedule::ticker::ticker;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Outside,
    /// Waiting or invited; an invitation may be overdue.
    Queued(Id),
    Taken(Id),
    Used,
}

/// A process's permit to go to a dirty scheduler, or its place in the queue for one. Dropping it returns the permit and gives up
/// the place.
pub struct Permit {
    queue: &'static RunQueue,
    place: Place,
}

impl Default for Permit {
    fn default() -> Self {
        Permit::of(&QUEUE)
    }
}

impl Permit {
    pub(super) fn of(queue: &'static RunQueue) -> Permit {
        Permit {
            queue,
            place: Place::Outside,
        }
    }

    /// Asks for one of `limit` permits. True if the caller has one. If none is free, the caller gets a place in the queue, and
    /// the function that `invite` makes is called when it is worth asking again. Most callers find a free permit, so `invite`
    /// is not called for them.
    pub fn ask(&mut self, limit: usize, invite: impl FnOnce() -> Invite) -> bool {
        let now = clock::now();
        let mut state = self.queue.0.lock();
        if state.limit != limit.max(1) {
            state.limit = limit.max(1);
            state.invite(now);
        }
        let (id, free) = match self.place {
            Place::Taken(_) | Place::Used => return true,
            Place::Outside => {
                state.next += 1;
                (state.next, state.free())
            }
            // An invited process does not wait for others that were invited and have not come.
            Place::Queued(id) => {
                let invited = state.waiting.remove(&id).is_none();
                state.invited.remove(&id);
                (
                    id,
                    if invited {
                        state.taken < state.limit
                    } else {
                        state.free()
                    },
                )
            }
        };
        if free {
            state.take(id, now);
            self.place = Place::Taken(id);
            return true;
        }
        state.waiting.insert(id, invite());
        self.place = Place::Queued(id);
        drop(state);
        // The ticker must run: it invites others in the place of those that do not come.
        drop(ticker().map(|ticker| ticker.running()));
        false
    }

    /// From now on the permit is used, for any length of time. A process that runs without having asked counts, too.
    pub fn begin(&mut self) {
        let mut state = self.queue.0.lock();
        let has = match self.place {
            Place::Used => true,
            Place::Taken(id) => state.coming.remove(&id).is_some(),
            Place::Outside => false,
            Place::Queued(id) => {
                state.waiting.remove(&id);
                state.invited.remove(&id);
                false
            }
        };
        if !has {
            state.taken += 1;
        }
        self.place = Place::Used;
    }

    /// Returns the permit, or gives up the place in the queue.
    pub fn leave(&mut self) {
        let place = std::mem::replace(&mut self.place, Place::Outside);
        if place == Place::Outside {
            return;
        }
        let now = clock::now();
        let mut state = self.queue.0.lock();
        match place {
            Place::Outside => (),
            Place::Queued(id) => {
                state.waiting.remove(&id);
                state.invited.remove(&id);
                state.invite(now);
            }
            Place::Taken(id) => {
                if state.coming.remove(&id).is_some() {
                    state.return_permit(now);
                }
            }
            Place::Used => state.return_permit(now),
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.leave();
    }
}
