//! Functions that are added to the module: an accessor with its check where inlining that in many
//! places would take long to compile, and the copying of the copy loops.

use anyhow::Result;
use wasm_encoder::{Encode, Function, ValType};
use wasmparser::Operator;

use super::accessor::Accessor;
use super::body::may_call;
use super::copy_loop::{CopyLoop, Direction};
use super::inline::{Scratch, inline};
use super::piece::turns;
use super::survey::Survey;

/// What every engine accepts of types and of functions.
const MAX_TYPES: usize = 1_000_000;
const MAX_FUNCTIONS: usize = 1_000_000;

/// In so many places an accessor is inlined. PDKs whose compilers inline nothing call it from one;
/// where it is called from many, they are in copy loops or for what those leave.
const MAX_INLINED: u32 = 4;

/// As many functions are added. A module of a compiler's needs a handful; one that is made to need very
/// many is compiled no slower for that.
const MAX_HELPERS: usize = 256;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Helper {
    /// What is called instead of the accessor that is imported as the function.
    Access { accessor: Accessor, function: u32 },
    /// Does turns of copy loops of a form.
    Turns(Box<CopyLoop>),
}

pub(super) struct Helpers<'s, 'a> {
    survey: &'s Survey<'a>,
    /// How often each imported function that is an accessor is called.
    calls: Vec<u32>,
    list: Vec<Helper>,
}

impl<'s, 'a> Helpers<'s, 'a> {
    pub(super) fn of(survey: &'s Survey<'a>) -> Result<Self> {
        let mut calls = vec![0; survey.imported()];
        for body in &survey.bodies {
            if !may_call(body, survey) {
                continue;
            }
            for operator in body.get_operators_reader()? {
                if let Operator::Call { function_index } = operator?
                    && survey.accessor(function_index).is_some()
                {
                    calls[function_index as usize] += 1;
                }
            }
        }
        Ok(Helpers {
            survey,
            calls,
            list: Vec::new(),
        })
    }

    /// The index of the function that is called instead of an imported one that is an accessor, unless
    /// it is inlined.
    pub(super) fn access(&mut self, accessor: Accessor, function: u32) -> Option<u32> {
        if self.calls[function as usize] <= MAX_INLINED {
            return None;
        }
        self.function(Helper::Access { accessor, function })
    }

    /// The index of the function that does turns of a copy loop, if there can be one.
    pub(super) fn turns(&mut self, copy: &CopyLoop) -> Option<u32> {
        self.function(Helper::Turns(Box::new(copy.clone())))
    }

    fn function(&mut self, helper: Helper) -> Option<u32> {
        let known = self.list.iter().position(|known| *known == helper);
        let at = known.unwrap_or(self.list.len());
        if known.is_none() {
            if at == MAX_HELPERS {
                return None;
            }
            self.list.push(helper);
        }
        Some((self.survey.functions() + at) as u32)
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &Helper> {
        self.list.iter()
    }

    /// Whether the module has room for them.
    pub(super) fn fit(&self) -> bool {
        let more = self.list.len();
        self.survey.types() + more <= MAX_TYPES && self.survey.functions() + more <= MAX_FUNCTIONS
    }

    /// The types of the functions, in the binary form.
    pub(super) fn encode_types(&self, sink: &mut Vec<u8>) {
        for helper in &self.list {
            let (params, results) = helper.signature();
            sink.push(0x60);
            params.encode(sink);
            results.encode(sink);
        }
    }

    /// The types' indices.
    pub(super) fn encode_functions(&self, sink: &mut Vec<u8>) {
        for index in 0..self.list.len() {
            (self.survey.types() + index).encode(sink);
        }
    }

    /// The functions' indices and names.
    pub(super) fn encode_names(&self, sink: &mut Vec<u8>) {
        for (index, helper) in self.list.iter().enumerate() {
            (self.survey.functions() + index).encode(sink);
            helper.name().encode(sink);
        }
    }

    pub(super) fn code(&self, helper: &Helper) -> Function {
        let kernel = self.survey.kernel_memory();
        match helper {
            Helper::Access { accessor, function } => {
                let (params, _) = helper.signature();
                let mut code = Function::new(Scratch::TYPES.map(|ty| (1, ty)));
                let mut sink = code.instructions();
                for param in 0..params.len() as u32 {
                    sink.local_get(param);
                }
                let scratch = Scratch::from(params.len() as u32);
                inline(*accessor, *function, kernel, scratch, &mut sink);
                sink.end();
                code
            }
            Helper::Turns(copy) => turns(copy, kernel),
        }
    }
}

impl Helper {
    fn signature(&self) -> (&[ValType], &[ValType]) {
        match self {
            Helper::Access { accessor, .. } => accessor.signature(),
            Helper::Turns(copy) => (&copy.params, &copy.params[..copy.steps.len()]),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Helper::Access { accessor, .. } => match accessor {
                Accessor::LoadU8 => "vitrine.load_u8",
                Accessor::LoadU64 => "vitrine.load_u64",
                Accessor::StoreU8 => "vitrine.store_u8",
                Accessor::StoreU64 => "vitrine.store_u64",
                Accessor::InputLength => "vitrine.input_length",
                Accessor::InputLoadU8 => "vitrine.input_load_u8",
                Accessor::InputLoadU64 => "vitrine.input_load_u64",
            },
            Helper::Turns(copy) => match copy.transfer.direction {
                Direction::Load => "vitrine.load",
                Direction::Input => "vitrine.input_load",
                Direction::Store => "vitrine.store",
            },
        }
    }
}
