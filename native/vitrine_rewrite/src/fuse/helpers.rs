//! Functions that are added to the module, because inlining their code in many places would take long to compile: an
//! accessor with its check, or the copying of copy loops of one form.

use wasm_encoder::{Encode, Function, ValType};

use super::accessor::Accessor;
use super::copy_loop::{CopyLoop, Direction};
use super::inline::{Scratch, inline};
use super::piece;
use super::sites::Sites;
use super::target::Target;

/// The number of types, and the number of functions, that every engine accepts.
const MAX_TYPES: usize = 1_000_000;
const MAX_FUNCTIONS: usize = 1_000_000;

/// The most places in which an accessor is inlined. PDKs whose compilers inline nothing call it from one place. If
/// there are many calls, they are for the bytes that copy loops leave.
const MAX_INLINED: u32 = 2;

/// The most imports that get a function that is called instead. There are seven accessors. In a module that imports
/// them again and again, the others are inlined.
const MAX_ACCESS: usize = 256;

pub(super) enum Helper<'s> {
    /// A function that is called instead of the imported `function`, which is an accessor.
    Access { accessor: Accessor, function: u32 },
    /// A function that does iterations of copy loops of one form.
    Iterations(&'s CopyLoop),
}

pub(super) struct Helpers<'s, 'a> {
    target: &'s Target<'a>,
    /// For each imported function, the position in `list` of the helper that is called instead.
    access: Vec<Option<u32>>,
    /// For each form of copy loops, the position of the helper that does iterations.
    iterations: Vec<Option<u32>>,
    list: Vec<Helper<'s>>,
}

impl<'s, 'a> Helpers<'s, 'a> {
    pub(super) fn of(target: &'s Target<'a>, sites: &'s Sites) -> Self {
        let mut list = Vec::new();
        let mut add = |helper| {
            list.push(helper);
            list.len() as u32 - 1
        };
        let mut room = MAX_ACCESS;
        let access = (0..).zip(&sites.calls).map(|(function, calls)| {
            let many = *calls > MAX_INLINED && room > 0;
            let accessor = target.accessor(function).filter(|_| many)?;
            room -= 1;
            Some(add(Helper::Access { accessor, function }))
        });
        let access = access.collect();
        let forms = sites.forms.iter();
        let iterations =
            forms.map(|form| (form.loops > 1).then(|| add(Helper::Iterations(&form.copy))));
        let iterations = iterations.collect();
        Helpers {
            target,
            iterations,
            access,
            list,
        }
    }

    /// The index of the function that is called instead of an imported accessor; `None` if the accessor is inlined.
    pub(super) fn access(&self, function: u32) -> Option<u32> {
        self.index(*self.access.get(function as usize)?)
    }

    /// The index of the function that does iterations of copy loops of a form; `None` if they are inlined.
    pub(super) fn iterations(&self, form: usize) -> Option<u32> {
        self.index(*self.iterations.get(form)?)
    }

    fn index(&self, at: Option<u32>) -> Option<u32> {
        Some(self.target.functions() as u32 + at?)
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &Helper<'s>> {
        self.list.iter()
    }

    /// Returns true if the module has room for the helpers.
    pub(super) fn fit(&self) -> bool {
        let more = self.list.len();
        self.target.types() + more <= MAX_TYPES && self.target.functions() + more <= MAX_FUNCTIONS
    }

    /// Writes the types of the helpers.
    pub(super) fn encode_types(&self, sink: &mut Vec<u8>) {
        for helper in &self.list {
            let (params, results) = helper.signature();
            sink.push(0x60);
            params.encode(sink);
            results.encode(sink);
        }
    }

    /// Writes the indices of these types.
    pub(super) fn encode_functions(&self, sink: &mut Vec<u8>) {
        for index in 0..self.list.len() {
            (self.target.types() + index).encode(sink);
        }
    }

    /// The indices and names of the helpers.
    pub(super) fn names(&self) -> Vec<(u32, &'static str)> {
        let first = self.target.functions() as u32;
        (first..).zip(self.list.iter().map(Helper::name)).collect()
    }

    pub(super) fn code(&self, helper: &Helper<'_>) -> Function {
        let kernel = self.target.kernel_memory();
        match helper {
            Helper::Access { accessor, function } => {
                let (params, _) = helper.signature();
                let mut code = Function::new(Scratch::TYPES);
                let mut sink = code.instructions();
                for param in 0..params.len() as u32 {
                    sink.local_get(param);
                }
                let scratch = Scratch::from(params.len() as u32);
                inline(*accessor, *function, kernel, scratch, &mut sink);
                sink.end();
                code
            }
            Helper::Iterations(copy) => piece::function(copy, kernel),
        }
    }
}

impl Helper<'_> {
    fn signature(&self) -> (&[ValType], &[ValType]) {
        match self {
            Helper::Access { accessor, .. } => accessor.signature(),
            Helper::Iterations(copy) => (&copy.params, &copy.params[..copy.steps.len()]),
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
            Helper::Iterations(copy) => match copy.transfer.direction {
                Direction::Load => "vitrine.load",
                Direction::Input => "vitrine.input_load",
                Direction::Store => "vitrine.store",
            },
        }
    }
}
