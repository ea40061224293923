//! Numbers that are sums of locals.

use wasm_encoder::{InstructionSink, ValType};

/// The most locals that an address or a condition of a copy loop consists of.
const MAX_TERMS: usize = 3;

/// A local, added or subtracted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Term {
    pub(super) local: u32,
    pub(super) negative: bool,
    /// Whether only the lower half of an `i64` counts.
    wrapped: bool,
}

/// A sum of locals, as they are at the start of an iteration, and a constant. The sum wraps at the width of the type
/// that it is used as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Linear {
    terms: [Option<Term>; MAX_TERMS],
    plus: i64,
}

impl Linear {
    pub(super) fn constant(plus: i64) -> Self {
        Linear {
            plus,
            ..Linear::default()
        }
    }

    pub(super) fn local(local: u32) -> Self {
        let mut linear = Linear::default();
        linear.terms[0] = Some(Term {
            local,
            negative: false,
            wrapped: false,
        });
        linear
    }

    pub(super) fn terms(&self) -> impl Iterator<Item = Term> + use<> {
        self.terms.into_iter().flatten()
    }

    /// The number, if it is a constant.
    pub(super) fn as_constant(self) -> Option<i64> {
        self.terms().next().is_none().then_some(self.plus)
    }

    /// The constant that is added to `local`, if the number is just their sum.
    pub(super) fn added_to(self, local: u32) -> Option<i64> {
        let itself = self.terms == Linear::local(local).terms;
        itself.then_some(self.plus)
    }

    /// The sum, unless it has too many terms.
    pub(super) fn add(mut self, other: Linear) -> Option<Self> {
        self.plus = self.plus.wrapping_add(other.plus);
        for term in other.terms() {
            let opposite = Term {
                negative: !term.negative,
                ..term
            };
            let at = |wanted| self.terms.iter().position(|term| *term == wanted);
            match at(Some(opposite)) {
                Some(cancelled) => self.terms[cancelled] = None,
                None => self.terms[at(None)?] = Some(term),
            }
        }
        Some(self)
    }

    pub(super) fn subtract(self, mut other: Linear) -> Option<Self> {
        other.plus = other.plus.wrapping_neg();
        for term in other.terms.iter_mut().flatten() {
            term.negative = !term.negative;
        }
        self.add(other)
    }

    pub(super) fn plus(self, more: i64) -> Self {
        Linear {
            plus: self.plus.wrapping_add(more),
            ..self
        }
    }

    /// The number over other locals.
    pub(super) fn renamed(mut self, rename: &mut impl FnMut(u32) -> u32) -> Self {
        for term in self.terms.iter_mut().flatten() {
            term.local = rename(term.local);
        }
        self
    }

    /// The lower half of an `i64`, as an `i32`.
    pub(super) fn wrapped(mut self) -> Self {
        for term in self.terms.iter_mut().flatten() {
            term.wrapped = true;
        }
        self
    }

    /// Writes the code that computes the number.
    pub(super) fn emit(self, ty: ValType, sink: &mut InstructionSink<'_>) {
        let wide = ty == ValType::I64;
        let mut first = true;
        if self.plus != 0 || self.terms().all(|term| term.negative) {
            match wide {
                true => sink.i64_const(self.plus),
                false => sink.i32_const(self.plus as i32),
            };
            first = false;
        }
        // Added terms come before subtracted ones, which need something to be subtracted from.
        let (subtracted, added): (Vec<_>, Vec<_>) = self.terms().partition(|term| term.negative);
        for term in added.into_iter().chain(subtracted) {
            sink.local_get(term.local);
            if term.wrapped {
                sink.i32_wrap_i64();
            }
            if !first {
                match (term.negative, wide) {
                    (false, true) => sink.i64_add(),
                    (false, false) => sink.i32_add(),
                    (true, true) => sink.i64_sub(),
                    (true, false) => sink.i32_sub(),
                };
            }
            first = false;
        }
    }
}

/// A number as a signed number of the type.
pub(super) fn wrap(ty: ValType, number: i64) -> i64 {
    match ty {
        ValType::I32 => i64::from(number as i32),
        _ => number,
    }
}
