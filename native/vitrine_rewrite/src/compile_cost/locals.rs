//! Counts how long locals are live: from one use to the next, and around the loops that they enter.

use super::bounds::Counts;
use super::cost::Cost;

/// A place in a function, given by the counts up to it.
#[derive(Clone, Copy, Default)]
pub(super) struct Place {
    pub(super) branches: u64,
    pub(super) loops: u64,
    pub(super) instructions: u64,
    pub(super) calls: u64,
}

impl Place {
    /// The place after an instruction of this cost.
    pub(super) fn after(self, cost: Cost) -> Place {
        Place {
            branches: self.branches + cost.branches,
            instructions: self.instructions + cost.instructions,
            calls: self.calls + cost.calls,
            loops: self.loops + cost.loops,
        }
    }
}

#[derive(Clone, Copy)]
struct Use {
    function: u32,
    at: Place,
}

/// A local that an instruction uses.
#[derive(Clone, Copy)]
pub(super) struct Local {
    pub(super) index: u32,
    /// The count is 1 if the local is a reference that calls keep track of.
    pub(super) traced: u64,
}

/// A loop around a place.
struct Loop {
    begin: Place,
    /// The locals from before the loop that are read in it, and so are live through all of it.
    entering: u64,
    /// The number of references among these locals.
    references: u64,
}

/// The locals of a function. The same value serves one function after the other.
#[derive(Default)]
pub(super) struct Locals {
    function: u32,
    /// The last use of each local.
    uses: Vec<Use>,
    loops: Vec<Loop>,
}

impl Locals {
    /// Begins another function.
    pub(super) fn begin(&mut self, function: u32) {
        self.function = function;
        self.loops.clear();
    }

    /// The number of loops around the current place.
    pub(super) fn loop_depth(&self) -> usize {
        self.loops.len()
    }

    pub(super) fn begin_loop(&mut self, begin: Place) {
        self.loops.push(Loop {
            begin,
            entering: 0,
            references: 0,
        });
    }

    pub(super) fn end_loop(&mut self, end: Place, counts: &mut Counts) {
        if let Some(ended) = self.loops.pop() {
            counts.add_live(ended.entering, ended.references, ended.begin, end);
        }
    }

    /// Counts a write to a local. The local may be live since its last use, because not every path writes it.
    pub(super) fn set(&mut self, local: Local, at: Place, counts: &mut Counts) {
        let since = self.last_use(local.index, at).unwrap_or(at);
        counts.add_live(1, local.traced, since, at);
    }

    /// Counts a read of a local. The local is live since its last use, or since the beginning of the function.
    pub(super) fn get(&mut self, local: Local, at: Place, counts: &mut Counts) {
        let since = self.last_use(local.index, at).unwrap_or_default();
        counts.add_live(1, local.traced, since, at);
        let entered = self.loops.iter_mut().rev();
        for inside in entered.take_while(|inside| inside.begin.branches >= since.branches) {
            inside.entering += 1;
            inside.references += local.traced;
        }
    }

    fn last_use(&mut self, local: u32, at: Place) -> Option<Place> {
        let (local, function) = (local as usize, self.function);
        if local >= 50_000 + 1_000 {
            // No valid function has so many locals.
            return None;
        }
        if self.uses.len() <= local {
            let never = Use {
                function: u32::MAX,
                at: Place::default(),
            };
            self.uses.resize(local + 1, never);
        }
        let last = std::mem::replace(&mut self.uses[local], Use { function, at });
        (last.function == function).then_some(last.at)
    }
}
