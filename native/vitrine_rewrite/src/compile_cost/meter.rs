//! Goes through functions, one after the other, and counts.

use wasmparser::{
    BlockType, FuncToValidate, FuncValidator, FuncValidatorAllocations, FunctionBody, ModuleArity,
    Operator, ValidatorResources, WasmModuleResources,
};

use super::bounds::{Counts, MAX_LOOP_DEPTH, MAX_TRY_DEPTH, refused};
use super::cost::{Cost, can_throw, is_traced};
use super::locals::{Local, Locals, Place};
use crate::error::Error;

/// The state that is reused for each function.
pub(super) struct Meter {
    counts_fuel: bool,
    allocations: FuncValidatorAllocations,
    locals: Locals,
    nesting: Vec<Nested>,
    /// The number of blocks with results around the current place.
    results: u64,
}

/// A control structure around a place.
struct Nested {
    kind: Kind,
    has_results: bool,
}

enum Kind {
    Plain,
    Loop,
    Try(u64),
}

impl Meter {
    pub(super) fn new(counts_fuel: bool) -> Meter {
        Meter {
            counts_fuel,
            allocations: FuncValidatorAllocations::default(),
            locals: Locals::default(),
            nesting: Vec::new(),
            results: 0,
        }
    }

    /// Begins a block.
    fn enter(&mut self, kind: Kind, ty: BlockType, counts: &mut Counts) {
        let has_results = ty != BlockType::Empty;
        counts.nested += self.nesting.len() as u64;
        if has_results {
            counts.results += self.results;
            self.results += 1;
        }
        self.nesting.push(Nested { kind, has_results });
    }

    fn leave(&mut self) -> Option<Kind> {
        let Nested { kind, has_results } = self.nesting.pop()?;
        self.results -= u64::from(has_results);
        Some(kind)
    }

    pub(super) fn measure(
        &mut self,
        function: FuncToValidate<ValidatorResources>,
        body: &FunctionBody<'_>,
    ) -> Result<Counts, Error> {
        let resources = function.resources.clone();
        let ty = function.ty;
        let allocations = std::mem::take(&mut self.allocations);
        let mut validator = function.into_validator(allocations);
        let mut counts = Counts {
            bytes: body.range().len() as u64,
            functions: 1,
            ..Counts::default()
        };
        let ty = validator.sub_type_at(ty);
        if let Some((params, results)) = ty.and_then(|ty| validator.sub_type_arity(ty)) {
            counts.add_signature(params as usize);
            counts.add_signature(results as usize);
        }
        self.run(&mut validator, &resources, body, &mut counts)?;
        self.allocations = validator.into_allocations();
        Ok(counts)
    }

    fn run<R: WasmModuleResources>(
        &mut self,
        validator: &mut FuncValidator<R>,
        resources: &R,
        body: &FunctionBody<'_>,
        counts: &mut Counts,
    ) -> Result<(), Error> {
        validator.read_locals(&mut body.get_binary_reader())?;
        let index = validator.index();
        counts.locals = validator.len_locals().into();
        let mut place = Place::default();
        let (mut tries, mut handlers) = (0, 0);
        self.nesting.clear();
        self.results = 0;
        self.locals.begin(index);
        let mut operators = body.get_operators_reader()?;
        while !operators.eof() {
            let (operator, at) = operators.read_with_offset()?;
            let mut cost = Cost::of(&operator, validator, resources, at);
            if self.counts_fuel {
                cost.branches += cost.branches / 2;
            }
            counts.values += cost.values;
            counts.branches += cost.branches;
            counts.loops += cost.loops;
            let before = place;
            place = before.after(cost);
            let operands = u64::from(validator.operand_stack_height());
            let kept = operands.saturating_sub(cost.takes);
            counts.add_live(kept, traced(validator, cost), before, place);
            counts.live_instructions += cost.takes;
            // This comes before the validator sees the instruction, because the validator also goes through all values.
            counts.check_function(index)?;
            let local = |index| Local {
                index,
                traced: validator
                    .get_local_type(index)
                    .is_some_and(is_traced)
                    .into(),
            };
            match &operator {
                Operator::LocalGet { local_index } => {
                    self.locals.get(local(*local_index), place, counts);
                }
                Operator::LocalSet { local_index } | Operator::LocalTee { local_index } => {
                    self.locals.set(local(*local_index), place, counts);
                }
                Operator::Loop { blockty } => {
                    self.enter(Kind::Loop, *blockty, counts);
                    self.locals.begin_loop(before);
                }
                Operator::TryTable { try_table } => {
                    let own = try_table.catches.len() as u64;
                    self.enter(Kind::Try(own), try_table.ty, counts);
                    (tries, handlers) = (tries + 1, handlers + own);
                }
                Operator::Block { blockty } | Operator::If { blockty } => {
                    self.enter(Kind::Plain, *blockty, counts);
                }
                Operator::End => match self.leave() {
                    Some(Kind::Loop) => self.locals.end_loop(before, counts),
                    Some(Kind::Try(own)) => (tries, handlers) = (tries - 1, handlers - own),
                    _ => (),
                },
                other if can_throw(other) => counts.handlers += handlers,
                _ => (),
            }
            if self.locals.loop_depth() > MAX_LOOP_DEPTH || tries > MAX_TRY_DEPTH {
                return Err(refused(format_args!(
                    "function {index} has more than {MAX_LOOP_DEPTH} loops or {MAX_TRY_DEPTH} \
                     try_tables within each other"
                )));
            }
            validator.op(at, &operator)?;
        }
        operators.finish()?;
        counts.check_function(index)
    }
}

/// The number of operands that a call keeps track of, because they are used later.
fn traced<R: WasmModuleResources>(validator: &FuncValidator<R>, cost: Cost) -> u64 {
    if cost.calls == 0 {
        return 0;
    }
    let kept = cost.takes as usize..validator.operand_stack_height() as usize;
    let traced = kept.filter(|depth| {
        let ty = validator.get_operand_type(*depth);
        ty.flatten().is_some_and(is_traced)
    });
    traced.count() as u64
}
