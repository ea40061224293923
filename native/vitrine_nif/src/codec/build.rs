//! Builds terms while a text is read.

use std::collections::HashMap;

use rustler::{Env, Term};

use crate::bytes;

/// A binary with a copy of the text. A binary that refers to a part of a long text would keep all of it alive.
pub fn text<'a>(env: Env<'a>, text: &str) -> Term<'a> {
    bytes::copy(env, text.as_bytes())
}

/// A map. If keys are equal, the last one counts.
pub fn map<'a>(env: Env<'a>, keys: &[Term<'a>], values: &[Term<'a>]) -> Term<'a> {
    Term::map_from_term_arrays(env, keys, values).unwrap_or_else(|_| {
        let last: HashMap<_, _> = keys.iter().copied().zip(values.iter().copied()).collect();
        let (keys, values): (Vec<_>, Vec<_>) = last.into_iter().unzip();
        // The keys are distinct now, so this cannot fail.
        Term::map_from_term_arrays(env, &keys, &values).unwrap_or_else(|_| Term::map_new(env))
    })
}
