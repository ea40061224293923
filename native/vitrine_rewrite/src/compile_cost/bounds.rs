//! What is counted, and how much of it is allowed.
//!
//! In sixteen large modules (Go, C, C++, Rust; some 300 000 functions, and SQLite not optimised) loops were
//! nested 16 deep at most, handlers 134, and of what is counted no function and no module had as much as
//! half of what is allowed it. In fifty others the most was PHP's interpreter, a function of half a megabyte: 0.85 of the
//! values times instructions.

use std::fmt;

use super::locals::Place;
use crate::error::Error;

/// Loops within each other: cubic.
pub(super) const MAX_LOOP_DEPTH: usize = 64;
/// Handlers of exceptions within each other.
pub(super) const MAX_TRY_DEPTH: usize = 256;

/// What is allowed: a constant and so much for each byte of the code.
#[derive(Clone, Copy)]
pub(super) struct Allowed(u64, (u64, u64));

impl Allowed {
    pub(super) const fn new(constant: u64, per_byte: (u64, u64)) -> Allowed {
        Allowed(constant, per_byte)
    }

    pub(super) fn of(self, bytes: u64) -> u64 {
        let Allowed(constant, (times, by)) = self;
        constant + bytes.saturating_mul(times) / by
    }
}

/// A bound for each function, and one for what all of them have together: one of a large module may be far
/// from usual, all of them never are.
struct Bound {
    what: &'static str,
    function: Allowed,
    module: Allowed,
}

const fn bound(what: &'static str, constant: u64, per_byte: (u64, u64)) -> Bound {
    Bound {
        what,
        function: Allowed(constant, per_byte),
        module: Allowed(constant, per_byte),
    }
}

const FUNCTIONS: Bound = bound("functions", 5_000, (1, 32));
const LOCALS: Bound = bound("locals", 100_000, (1, 1));
const VALUES: Bound = bound("values that its calls and branches pass on", 50_000, (2, 1));
const HANDLERS: Bound = bound("handlers of exceptions around its calls", 5_000, (6, 1));
const BRANCHES: Bound = bound("branches that its instructions become", 50_000, (3, 2));
const CARRIED: Bound = bound("values times loops", 50_000, (2, 1));
const REFERENCES: Bound = bound("references times calls", 100_000, (16, 1));
const NESTED: Bound = bound("blocks within each other", 32_000_000, (64, 1));
const RESULTS: Bound = bound("results of blocks within each other", 8_000_000, (16, 1));
/// Of each function alone: their square counts.
const LOOPS: Bound = bound("loops", 500, (1, 128));
const LIVE: Bound = Bound {
    what: "values times branches",
    function: Allowed(250_000, (48, 1)),
    module: Allowed(4_000_000, (16, 1)),
};
const ALIVE: Bound = Bound {
    what: "values times instructions",
    function: Allowed(2_000_000, (240, 1)),
    module: Allowed(16_000_000, (40, 1)),
};

/// What is counted, of one function or of all.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Effort {
    pub(super) bytes: u64,
    pub(super) functions: u64,
    /// The parameters included.
    pub(super) locals: u64,
    /// The loops.
    pub(super) loops: u64,
    /// For each block those that it is in.
    pub(super) nested: u64,
    /// For each block with results those with results that it is in.
    pub(super) results: u64,
    /// Values that instructions take and give.
    pub(super) values: u64,
    /// The handlers around each call.
    pub(super) handlers: u64,
    /// Branches in the code that instructions become.
    pub(super) branches: u64,
    /// For each value the branches over which it is live: it has a range of its own in each block.
    pub(super) live: u64,
    /// For each local the loops over which it is live.
    pub(super) carried: u64,
    /// For each value the instructions over which it is live: who looks for a register for it meets
    /// what they have in each register.
    pub(super) alive: u64,
    /// For each reference the calls over which it is live: each keeps a map of them.
    pub(super) references: u64,
}

impl Effort {
    /// So many values come in or go out.
    pub(super) fn pass(&mut self, values: usize) {
        self.alive += (values as u64).pow(2);
    }

    /// So many values are live from one place to another, `references` of them references.
    pub(super) fn note(&mut self, values: u64, references: u64, since: Place, until: Place) {
        self.live += values * (until.branches - since.branches);
        self.carried += values * (until.loops - since.loops);
        self.alive += values * (until.instructions - since.instructions);
        self.references += references * (until.calls - since.calls);
    }

    /// Counts what another has.
    pub(super) fn add(&mut self, other: &Effort) {
        self.bytes += other.bytes;
        self.functions += other.functions;
        self.locals += other.locals;
        self.nested += other.nested;
        self.results += other.results;
        self.values += other.values;
        self.handlers += other.handlers;
        self.branches += other.branches;
        self.live += other.live;
        self.carried += other.carried;
        self.alive += other.alive;
        self.references += other.references;
    }

    /// What a function has: an error if it is too much.
    pub(super) fn check_function(&self, index: u32) -> Result<(), Error> {
        match self.too_much(|bound| bound.function) {
            Some(excess) => Err(refused(format_args!("function {index} has {excess}"))),
            None => Ok(()),
        }
    }

    /// The same for all of a module together.
    pub(super) fn check_module(&self) -> Result<(), Error> {
        match self.too_much(|bound| bound.module) {
            Some(excess) => Err(refused(format_args!("the module has {excess}"))),
            None => Ok(()),
        }
    }

    /// About how long it takes to compile: right for usual code and its worst kinds, by a factor of
    /// three or so.
    pub(super) fn microseconds(&self) -> u64 {
        2 * self.bytes
            + 100 * self.functions
            + 10 * self.branches
            + self.live / 3
            + self.alive / 10
            + self.references / 3
            + self.values / 5
            + self.nested / 50
            + self.results / 50
    }

    fn too_much(&self, allowed: impl Fn(&Bound) -> Allowed) -> Option<Excess> {
        let counted = self.counted().into_iter();
        let mut excesses = counted.filter_map(|(count, bound)| {
            let allowed = allowed(&bound).of(self.bytes);
            (count > allowed).then_some(Excess {
                count,
                what: bound.what,
                allowed,
                bytes: self.bytes,
                of: " of code",
            })
        });
        excesses.next()
    }

    fn counted(&self) -> [(u64, Bound); 12] {
        [
            (self.functions, FUNCTIONS),
            (self.loops, LOOPS),
            (self.nested, NESTED),
            (self.results, RESULTS),
            (self.locals, LOCALS),
            (self.values, VALUES),
            (self.handlers, HANDLERS),
            (self.branches, BRANCHES),
            (self.carried, CARRIED),
            (self.live, LIVE),
            (self.alive, ALIVE),
            (self.references, REFERENCES),
        ]
    }
}

/// What there is too much of.
pub(super) struct Excess {
    pub(super) count: u64,
    pub(super) what: &'static str,
    pub(super) allowed: u64,
    pub(super) bytes: u64,
    /// What the bytes are.
    pub(super) of: &'static str,
}

impl fmt::Display for Excess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Excess {
            count,
            what,
            allowed,
            bytes,
            of,
        } = self;
        write!(
            f,
            "{count} {what}; the limit is {allowed} for {bytes} bytes{of}"
        )
    }
}

/// The error of what is not compiled.
pub(super) fn refused(why: impl fmt::Display) -> Error {
    Error::too_expensive(format_args!("compiling it would take too long: {why}"))
}
