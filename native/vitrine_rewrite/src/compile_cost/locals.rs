//! How long locals live: from a use to the next, and around the loops that they enter.

use super::bounds::Effort;
use super::cost::Cost;

/// Where in a function: after how much of what.
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

/// A local that is used.
#[derive(Clone, Copy)]
pub(super) struct Local {
    pub(super) index: u32,
    /// 1 if it is a reference that calls keep track of.
    pub(super) traced: u64,
}

/// A loop that a place is in.
struct Loop {
    begin: Place,
    /// Locals of before that are read in it, and so live as long as it goes around.
    entering: u64,
    /// Those of them that are references.
    references: u64,
}

/// The locals of one function after the other.
#[derive(Default)]
pub(super) struct Locals {
    function: u32,
    /// The last use of each local.
    uses: Vec<Use>,
    loops: Vec<Loop>,
}

impl Locals {
    /// Another function begins.
    pub(super) fn begin(&mut self, function: u32) {
        self.function = function;
        self.loops.clear();
    }

    /// In how many loops a place is.
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

    pub(super) fn end_loop(&mut self, end: Place, effort: &mut Effort) {
        if let Some(ended) = self.loops.pop() {
            effort.note(ended.entering, ended.references, ended.begin, end);
        }
    }

    /// A local is written. It may have lived since it was used last: it is not written on every path.
    pub(super) fn set(&mut self, local: Local, at: Place, effort: &mut Effort) {
        let since = self.last_use(local.index, at).unwrap_or(at);
        effort.note(1, local.traced, since, at);
    }

    /// A local is read. It lived since it was used last, and if it is read first, since the function
    /// began.
    pub(super) fn get(&mut self, local: Local, at: Place, effort: &mut Effort) {
        let since = self.last_use(local.index, at).unwrap_or_default();
        effort.note(1, local.traced, since, at);
        let entered = self.loops.iter_mut().rev();
        for inside in entered.take_while(|inside| inside.begin.branches >= since.branches) {
            inside.entering += 1;
            inside.references += local.traced;
        }
    }

    fn last_use(&mut self, local: u32, at: Place) -> Option<Place> {
        let (local, function) = (local as usize, self.function);
        if local >= 50_000 + 1_000 {
            // No valid function has so many.
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
