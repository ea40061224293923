//! What a module asks of the compiler. Parts of Cranelift and of its register allocator take time that
//! grows with the square or the cube of how deep loops are nested, how many locals live how long, and
//! how many values go around at once; so a few kilobytes can be minutes of work that nobody can
//! interrupt. What is far from all that compilers make is refused before.
//!
//! The bounds are a constant and so much for each byte of a function's body. In sixteen large optimised
//! modules (Go, C, C++, Rust; some 300 000 functions) loops were nested 16 deep at most, handlers 134, and of
//! what is counted no function had as much as half of what is allowed it.

use std::fmt;

use wasmparser::{
    FuncToValidate, FuncValidator, FuncValidatorAllocations, FunctionBody, Operator, Parser,
    ValidPayload, Validator, ValidatorResources, WasmFeatures, WasmModuleResources,
};

use crate::compile::invalid;
use crate::error::Error;

/// Loops within each other: cubic.
const MAX_LOOP_DEPTH: usize = 64;
/// Handlers of exceptions within each other.
const MAX_TRY_DEPTH: usize = 256;

/// A bound: a constant, and a share of the bytes of the code.
struct Bound {
    constant: u64,
    per_byte: (u64, u64),
    what: &'static str,
}

impl Bound {
    fn of(&self, bytes: u64) -> u64 {
        let (times, by) = self.per_byte;
        self.constant + bytes.saturating_mul(times) / by
    }
}

/// What is counted, of one function or of all.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Effort {
    bytes: u64,
    locals: u64,
    /// The loops.
    loops: u64,
    /// Values that instructions take and give.
    values: u64,
    /// The handlers around each call.
    handlers: u64,
    /// For each local the branches over which it is live.
    live: u64,
    /// For each local the loops over which it is live.
    carried: u64,
}

const LOOPS: Bound = bound(500, (1, 128), "loops");
const LOCALS: Bound = bound(100_000, (1, 1), "locals");
const VALUES: Bound = bound(50_000, (2, 1), "values that its calls and branches pass on");
const HANDLERS: Bound = bound(5_000, (6, 1), "handlers of exceptions around its calls");
const LIVE: Bound = bound(250_000, (64, 1), "locals times branches");
const CARRIED: Bound = bound(50_000, (2, 1), "locals times loops");

const fn bound(constant: u64, per_byte: (u64, u64), what: &'static str) -> Bound {
    Bound {
        constant,
        per_byte,
        what,
    }
}

impl Effort {
    /// A local is live from one place to another.
    fn note(&mut self, since: Place, until: Place) {
        self.live += until.branches - since.branches;
        self.carried += until.loops - since.loops;
    }

    fn check(&self, whose: impl fmt::Display) -> Result<(), Error> {
        let counted = [
            (self.locals, LOCALS),
            (self.values, VALUES),
            (self.handlers, HANDLERS),
            (self.carried, CARRIED),
            (self.live, LIVE),
        ];
        for (count, bound) in counted {
            self.within(count, &bound, &whose)?;
        }
        Ok(())
    }

    fn within(&self, count: u64, bound: &Bound, whose: impl fmt::Display) -> Result<(), Error> {
        let (allowed, bytes, what) = (bound.of(self.bytes), self.bytes, bound.what);
        if count <= allowed {
            return Ok(());
        }
        Err(invalid(format!(
            "compiling it would take too long: {whose} has {count} {what}, and {allowed} are \
             allowed in {bytes} bytes of code"
        )))
    }

    fn add(&mut self, other: &Effort) {
        self.bytes += other.bytes;
        self.locals += other.locals;
        self.values += other.values;
        self.handlers += other.handlers;
        self.live += other.live;
        self.carried += other.carried;
    }
}

/// Refuses a module that would take the compiler much longer than its size tells.
///
/// # Errors
///
/// When it would, and when it is not valid.
pub(crate) fn check(wasm: &[u8]) -> Result<(), Error> {
    // Whether the engine has the features that it uses is not this one's matter.
    let mut validator = Validator::new_with_features(WasmFeatures::all());
    let mut meter = Meter::default();
    let mut all = Effort::default();
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload.map_err(invalid)?;
        if let ValidPayload::Func(function, body) = validator.payload(&payload).map_err(invalid)? {
            all.add(&meter.measure(function, &body)?);
        }
    }
    all.check("the module")
}

/// Measures one function after the other.
#[derive(Default)]
struct Meter {
    allocations: FuncValidatorAllocations,
    /// The last use of each local.
    uses: Vec<Use>,
    nesting: Vec<Nested>,
    loops: Vec<Loop>,
}

/// A control structure that a place is in.
enum Nested {
    Plain,
    Loop,
    Try(u64),
}

/// Where in a function: after how many branches and loops.
#[derive(Clone, Copy, Default)]
struct Place {
    branches: u64,
    loops: u64,
}

#[derive(Clone, Copy)]
struct Use {
    function: u32,
    at: Place,
}

/// A loop that a place is in.
struct Loop {
    begin: Place,
    /// Locals of before that are read in it, and so live as long as it goes around.
    entering: u64,
}

impl Meter {
    fn measure(
        &mut self,
        function: FuncToValidate<ValidatorResources>,
        body: &FunctionBody<'_>,
    ) -> Result<Effort, Error> {
        let allocations = std::mem::take(&mut self.allocations);
        let mut validator = function.into_validator(allocations);
        let effort = self.run(&mut validator, body)?;
        self.allocations = validator.into_allocations();
        Ok(effort)
    }

    fn run<R: WasmModuleResources>(
        &mut self,
        validator: &mut FuncValidator<R>,
        body: &FunctionBody<'_>,
    ) -> Result<Effort, Error> {
        validator
            .read_locals(&mut body.get_binary_reader())
            .map_err(invalid)?;
        let index = validator.index();
        let mut effort = Effort {
            bytes: body.range().len() as u64,
            locals: u64::from(validator.len_locals()),
            ..Effort::default()
        };
        let most_values = VALUES.of(effort.bytes);
        let mut branches = 0;
        let (mut tries, mut handlers) = (0, 0);
        self.nesting.clear();
        self.loops.clear();
        let mut operators = body.get_operators_reader().map_err(invalid)?;
        while !operators.eof() {
            let (operator, at) = operators.read_with_offset().map_err(invalid)?;
            effort.values += values(&operator, validator, at);
            if effort.values > most_values {
                // Validating goes through all of them, too.
                effort.check(format!("function {index}"))?;
            }
            let place = Place {
                branches,
                loops: effort.loops,
            };
            let now = Use {
                function: index,
                at: place,
            };
            match &operator {
                Operator::LocalGet { local_index } => {
                    effort.note(self.live_since(*local_index, now, true), place);
                }
                Operator::LocalSet { local_index } | Operator::LocalTee { local_index } => {
                    effort.note(self.live_since(*local_index, now, false), place);
                }
                Operator::Loop { .. } => {
                    self.nesting.push(Nested::Loop);
                    self.loops.push(Loop {
                        begin: place,
                        entering: 0,
                    });
                    effort.loops += 1;
                }
                Operator::TryTable { try_table } => {
                    let own = try_table.catches.len() as u64;
                    self.nesting.push(Nested::Try(own));
                    (tries, handlers) = (tries + 1, handlers + own);
                }
                Operator::Block { .. } | Operator::If { .. } => self.nesting.push(Nested::Plain),
                Operator::End => match self.nesting.pop() {
                    Some(Nested::Loop) => {
                        if let Some(Loop { begin, entering }) = self.loops.pop() {
                            effort.live += entering * (place.branches - begin.branches);
                            effort.carried += entering * (place.loops - begin.loops);
                        }
                    }
                    Some(Nested::Try(own)) => (tries, handlers) = (tries - 1, handlers - own),
                    _ => (),
                },
                other if calls(other) => effort.handlers += handlers,
                _ => (),
            }
            branches += u64::from(branches_at(&operator));
            if self.loops.len() > MAX_LOOP_DEPTH || tries > MAX_TRY_DEPTH {
                return Err(invalid(format!(
                    "compiling it would take too long: function {index} has more than \
                     {MAX_LOOP_DEPTH} loops or {MAX_TRY_DEPTH} try_tables within each other"
                )));
            }
            validator.op(at, &operator).map_err(invalid)?;
        }
        operators.finish().map_err(invalid)?;
        let whose = format_args!("function {index}");
        effort.within(effort.loops, &LOOPS, whose)?;
        effort.check(whose)?;
        Ok(effort)
    }

    /// Since when a local is live that is used now: since it was used last, or if it is read first,
    /// since the function began.
    fn live_since(&mut self, local: u32, now: Use, read: bool) -> Place {
        let place = local as usize;
        if place >= 50_000 + 1_000 {
            // No valid function has so many.
            return now.at;
        }
        if self.uses.len() <= place {
            let never = Use {
                function: u32::MAX,
                at: Place::default(),
            };
            self.uses.resize(place + 1, never);
        }
        let last = std::mem::replace(&mut self.uses[place], now);
        let since = match (last.function == now.function, read) {
            (true, _) => last.at,
            (false, true) => Place::default(),
            (false, false) => now.at,
        };
        if read {
            let entered = self.loops.iter_mut().rev();
            entered
                .take_while(|inside| inside.begin.branches >= since.branches)
                .for_each(|inside| inside.entering += 1);
        }
        since
    }
}

/// The values that an instruction takes and gives, those of a table of branches for each of them.
fn values<R: WasmModuleResources>(
    operator: &Operator<'_>,
    validator: &mut FuncValidator<R>,
    at: usize,
) -> u64 {
    let arity = operator.operator_arity(&validator.visitor(at));
    let Some((takes, gives)) = arity.map(|(a, b)| (u64::from(a), u64::from(b))) else {
        return 0;
    };
    match operator {
        Operator::BrTable { targets } => (takes + 1) * (u64::from(targets.len()) + 1),
        _ => takes + gives,
    }
}

/// What can throw.
fn calls(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::Call { .. }
            | Operator::CallIndirect { .. }
            | Operator::CallRef { .. }
            | Operator::Throw { .. }
            | Operator::ThrowRef
    )
}

fn branches_at(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::Loop { .. }
            | Operator::If { .. }
            | Operator::Else
            | Operator::End
            | Operator::BrIf { .. }
            | Operator::BrTable { .. }
            | Operator::BrOnNull { .. }
            | Operator::BrOnNonNull { .. }
            | Operator::BrOnCast { .. }
            | Operator::BrOnCastFail { .. }
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Reason;

    fn verdict(text: &str) -> Result<(), String> {
        check(&wat::parse_str(text).unwrap()).map_err(|e| {
            assert_eq!(e.reason, Reason::Compile);
            e.message
        })
    }

    fn refused(text: &str, why: &str) {
        let message = verdict(text).unwrap_err();
        assert!(message.contains("too long"), "{message}");
        assert!(message.contains(why), "{message}");
    }

    fn function(params: &str, body: &str) -> String {
        format!("(module (tag $t) (func $f {params} {body}))")
    }

    fn nested(begin: &str, end: &str, n: usize) -> String {
        function("(param i32)", &(begin.repeat(n) + &end.repeat(n)))
    }

    #[test]
    fn loops_are_nested_as_deep_as_is_allowed_and_no_deeper() {
        let loops = |n| nested("loop ", "local.get 0 br_if 0 end ", n);
        assert_eq!(verdict(&loops(MAX_LOOP_DEPTH)), Ok(()));
        refused(&loops(MAX_LOOP_DEPTH + 1), "function 0 has more than 64");
        // One after the other they are not nested.
        let row = "loop local.get 0 br_if 0 end ".repeat(500);
        assert_eq!(verdict(&function("(param i32)", &row)), Ok(()));
        refused(&function("(param i32)", &row.repeat(2)), "loops");
        // Nor are blocks, of which some compilers nest thousands.
        assert_eq!(verdict(&nested("block ", "end ", 5_000)), Ok(()));
    }

    #[test]
    fn locals_are_counted_by_their_use_and_where_it_is() {
        let uses = |locals: usize| -> String {
            let uses = (1..=locals).map(|local| format!("local.get {local} drop "));
            uses.collect()
        };
        let locals = |n: usize| format!("(param i32) (local {})", "i32 ".repeat(n));
        let loops = |n: usize| "loop local.get 0 br_if 0 end ".repeat(n);
        let ifs = |n: usize| "local.get 0 if end ".repeat(n);
        let with = |n: usize, code: String| function(&locals(n), &(code + &uses(n)));
        assert_eq!(verdict(&with(20, loops(400))), Ok(()));
        refused(&with(2_000, loops(400)), "locals times loops");
        assert_eq!(verdict(&with(200, ifs(1_000))), Ok(()));
        // As compilers do it that do not optimise: each local is for the moment.
        let moments =
            (1..=5_000).map(|i| format!("local.get 0 local.set {i} local.get {i} if end "));
        let moments = moments.collect::<String>() + &loops(40);
        assert_eq!(verdict(&function(&locals(5_000), &moments)), Ok(()));
        // A loop keeps what it reads for its next round.
        let sets: String = (1..=2_000)
            .map(|i| format!("local.get 0 local.set {i} "))
            .collect();
        let around = format!(
            "{sets} loop {} {} local.get 0 br_if 0 end",
            uses(2_000),
            ifs(2_000)
        );
        refused(&function(&locals(2_000), &around), "locals times branches");
        refused(&with(2_000, ifs(2_000)), "locals times branches");
        // Those of a function are cheap, those of many add up: they take no bytes.
        let many = format!("(func (local {}))", "i32 ".repeat(20_000));
        assert_eq!(verdict(&format!("(module {many})")), Ok(()));
        refused(&format!("(module {})", many.repeat(6)), "the module has");
    }

    #[test]
    fn values_are_counted_that_calls_and_branches_pass_on() {
        let types = "i32 ".repeat(500);
        let around = |calls: usize| {
            let values = "i32.const 0 ".repeat(500);
            let calls = "call $f ".repeat(calls);
            format!(
                "(module (func $f (param {types}) (result {types}) unreachable)
                   (func (result {types}) {values} {calls}))"
            )
        };
        assert_eq!(verdict(&around(10)), Ok(()));
        refused(&around(100), "values");
        let table = |targets: usize| {
            let targets = "0 ".repeat(targets);
            format!(
                "(module (func $f (result {types}) unreachable)
                   (func (result {types}) call $f i32.const 0 br_table {targets}))"
            )
        };
        assert_eq!(verdict(&table(50)), Ok(()));
        refused(&table(5_000), "values");
    }

    #[test]
    fn handlers_are_counted_for_each_call_within_them() {
        let nest = |n| nested("block try_table (catch $t 0) ", "end end ", n);
        assert_eq!(verdict(&nest(MAX_TRY_DEPTH)), Ok(()));
        refused(&nest(MAX_TRY_DEPTH + 1), "256 try_tables");
        let calls = "call $f ".repeat(200);
        let catches = |n: usize| {
            let catches = "(catch $t 0) ".repeat(n);
            function("", &format!("block try_table {catches} {calls} end end"))
        };
        assert_eq!(verdict(&catches(20)), Ok(()));
        refused(&catches(200), "handlers");
    }

    #[test]
    fn what_is_not_valid_is_said() {
        let message = verdict("(module (func (result i32)))").unwrap_err();
        assert!(message.contains("type mismatch"), "{message}");
        // Indices that there cannot be take no memory.
        assert!(verdict("(module (func (drop (local.get 4000000000))))").is_err());
    }

    #[test]
    fn what_compilers_make_is_far_from_the_bounds() {
        let guests = concat!(env!("CARGO_MANIFEST_DIR"), "/../../test/guests/wasm");
        for guest in std::fs::read_dir(guests).unwrap() {
            let path = guest.unwrap().path();
            if path
                .extension()
                .is_some_and(|extension| extension == "wasm")
            {
                let wasm = std::fs::read(&path).unwrap();
                let checked = check(&wasm).map_err(|e| e.message);
                assert_eq!(checked, Ok(()), "{}", path.display());
            }
        }
    }
}
