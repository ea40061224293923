//! The counts, and their limits.
//!
//! The limits come from measurements. In sixteen large modules (Go, C, C++, Rust; about 300 000 functions, and SQLite
//! without optimisation) loops were nested at most 16 deep and handlers 134, and no function and no module reached half
//! of any other limit. Among fifty more modules the highest count was that of PHP's interpreter, a function of half a
//! megabyte: 0.85 of the limit of values times instructions.

use std::fmt;

use super::locals::Place;
use crate::error::Error;

/// The most loops within each other. The compiler's time grows with the cube of their depth.
pub(super) const MAX_LOOP_DEPTH: usize = 64;
/// The most handlers of exceptions within each other.
pub(super) const MAX_TRY_DEPTH: usize = 256;

/// A limit: a constant, plus a fraction for each byte of the code.
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

/// A limit for each function, and one for all functions together. One function of a large module may be far from usual,
/// but all of them together never are.
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
const LIVE_LOOPS: Bound = bound("values times loops", 50_000, (2, 1));
const LIVE_REFERENCES: Bound = bound("references times calls", 100_000, (16, 1));
const NESTED: Bound = bound("blocks within each other", 32_000_000, (64, 1));
const RESULTS: Bound = bound("results of blocks within each other", 8_000_000, (16, 1));
/// Loops are counted for each function alone, because the compiler's time grows with their square.
const LOOPS: Bound = bound("loops", 500, (1, 128));
const LIVE_BRANCHES: Bound = Bound {
    what: "values times branches",
    function: Allowed(250_000, (48, 1)),
    module: Allowed(4_000_000, (16, 1)),
};
const LIVE_INSTRUCTIONS: Bound = Bound {
    what: "values times instructions",
    function: Allowed(2_000_000, (240, 1)),
    module: Allowed(16_000_000, (40, 1)),
};

/// The counts of one function or of a whole module.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Counts {
    pub(super) bytes: u64,
    pub(super) functions: u64,
    /// The number of locals, parameters included.
    pub(super) locals: u64,
    /// The number of loops.
    pub(super) loops: u64,
    /// For each block, the number of blocks around it.
    pub(super) nested: u64,
    /// For each block with results, the number of blocks with results around it.
    pub(super) results: u64,
    /// The number of values that instructions take and give.
    pub(super) values: u64,
    /// For each call, the number of handlers around it.
    pub(super) handlers: u64,
    /// The number of branches in the code that instructions become.
    pub(super) branches: u64,
    /// For each value, the number of branches over which it is live: it has a live range of its own in each block.
    pub(super) live_branches: u64,
    /// For each local, the number of loops over which it is live.
    pub(super) live_loops: u64,
    /// For each value, the number of instructions over which it is live: the search for a register for the value meets
    /// the values that those instructions keep in each register.
    pub(super) live_instructions: u64,
    /// For each reference, the number of calls over which it is live: each call keeps a map of them.
    pub(super) live_references: u64,
}

impl Counts {
    /// Counts the parameters or the results of a function.
    pub(super) fn add_signature(&mut self, values: usize) {
        self.live_instructions += (values as u64).pow(2);
    }

    /// Counts values that are live from one place to another, of which `references` are references.
    pub(super) fn add_live(&mut self, values: u64, references: u64, since: Place, until: Place) {
        self.live_branches += values * (until.branches - since.branches);
        self.live_loops += values * (until.loops - since.loops);
        self.live_instructions += values * (until.instructions - since.instructions);
        self.live_references += references * (until.calls - since.calls);
    }

    /// Adds the counts of a function to those of a module.
    pub(super) fn add(&mut self, other: &Counts) {
        self.bytes += other.bytes;
        self.functions += other.functions;
        self.locals += other.locals;
        self.nested += other.nested;
        self.results += other.results;
        self.values += other.values;
        self.handlers += other.handlers;
        self.branches += other.branches;
        self.live_branches += other.live_branches;
        self.live_loops += other.live_loops;
        self.live_instructions += other.live_instructions;
        self.live_references += other.live_references;
    }

    /// Refuses a function that has too much of anything.
    pub(super) fn check_function(&self, index: u32) -> Result<(), Error> {
        match self.too_much(|bound| bound.function) {
            Some(excess) => Err(refused(format_args!("function {index} has {excess}"))),
            None => Ok(()),
        }
    }

    /// Refuses a module that has too much of anything.
    pub(super) fn check_module(&self) -> Result<(), Error> {
        match self.too_much(|bound| bound.module) {
            Some(excess) => Err(refused(format_args!("the module has {excess}"))),
            None => Ok(()),
        }
    }

    /// The estimated time of the compilation. The estimate is right within a factor of about three, for usual code and
    /// for its worst kinds.
    pub(super) fn microseconds(&self) -> u64 {
        2 * self.bytes
            + 100 * self.functions
            + 10 * self.branches
            + self.live_branches / 3
            + self.live_instructions / 10
            + self.live_references / 3
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
            (self.live_loops, LIVE_LOOPS),
            (self.live_branches, LIVE_BRANCHES),
            (self.live_instructions, LIVE_INSTRUCTIONS),
            (self.live_references, LIVE_REFERENCES),
        ]
    }
}

/// A count that exceeds its limit.
pub(super) struct Excess {
    pub(super) count: u64,
    pub(super) what: &'static str,
    pub(super) allowed: u64,
    pub(super) bytes: u64,
    /// The kind of the bytes.
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

/// The error for a module that is not compiled.
pub(super) fn refused(why: impl fmt::Display) -> Error {
    Error::too_expensive(format_args!("compiling it would take too long: {why}"))
}
