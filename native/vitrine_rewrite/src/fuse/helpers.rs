//! Functions that are added to the module: an accessor with its check, and the copying of copy loops of a
//! form, where inlining that in many places would take long to compile.

use wasm_encoder::{Encode, Function, ValType};

use super::accessor::Accessor;
use super::copy_loop::{CopyLoop, Direction};
use super::inline::{Scratch, inline};
use super::piece;
use super::sites::Sites;
use super::target::Target;

/// What every engine accepts of types and of functions.
const MAX_TYPES: usize = 1_000_000;
const MAX_FUNCTIONS: usize = 1_000_000;

/// In so many places an accessor is inlined. PDKs whose compilers inline nothing call it from one;
/// where it is called from many, they are for what copy loops leave.
const MAX_INLINED: u32 = 2;

/// As many imports get a function that is called instead. There are seven accessors; who imports them again and
/// again has the others inlined.
const MAX_ACCESS: usize = 256;

pub(super) enum Helper<'s> {
    /// What is called instead of the accessor that is imported as the function.
    Access { accessor: Accessor, function: u32 },
    /// Does turns of copy loops of a form.
    Turns(&'s CopyLoop),
}

pub(super) struct Helpers<'s, 'a> {
    target: &'s Target<'a>,
    /// For each imported function the helper that is called instead, by its place in the list, if there is one.
    access: Vec<Option<u32>>,
    /// And for each form of copy loops the one that does turns.
    turns: Vec<Option<u32>>,
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
        let turns = forms.map(|form| (form.loops > 1).then(|| add(Helper::Turns(&form.copy))));
        let turns = turns.collect();
        Helpers {
            target,
            turns,
            access,
            list,
        }
    }

    /// The index of the function that is called instead of an imported one that is an accessor, unless
    /// it is inlined.
    pub(super) fn access(&self, function: u32) -> Option<u32> {
        self.index(*self.access.get(function as usize)?)
    }

    /// The index of the function that does turns of copy loops of a form, unless that is inlined.
    pub(super) fn turns(&self, form: usize) -> Option<u32> {
        self.index(*self.turns.get(form)?)
    }

    fn index(&self, at: Option<u32>) -> Option<u32> {
        Some(self.target.functions() as u32 + at?)
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &Helper<'s>> {
        self.list.iter()
    }

    /// Whether the module has room for them.
    pub(super) fn fit(&self) -> bool {
        let more = self.list.len();
        self.target.types() + more <= MAX_TYPES && self.target.functions() + more <= MAX_FUNCTIONS
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
            (self.target.types() + index).encode(sink);
        }
    }

    /// The functions' indices and names.
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
            Helper::Turns(copy) => piece::function(copy, kernel),
        }
    }
}

impl Helper<'_> {
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
