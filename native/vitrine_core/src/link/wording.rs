//! How messages name imports and types. The author of a module chose its names, so they are quoted and shortened.

use vitrine_rewrite::Import;
use wasmparser::FuncType;

use super::Fault;
use crate::text;

/// The most items of a kind that a message lists. The rest are counted.
pub(super) const MOST: usize = 10;

/// The name of an import.
pub(super) fn import(import: &Import) -> String {
    format!(
        "{}.{}",
        text::quoted(&import.namespace),
        text::quoted(&import.name)
    )
}

/// The type of a function, as messages write it.
pub(super) fn signature(ty: Option<&FuncType>) -> String {
    let Some(ty) = ty else {
        return "a type that is not there".into();
    };
    let list = |types: &[wasmparser::ValType]| {
        let mut names: Vec<_> = types.iter().take(MOST).map(ToString::to_string).collect();
        if types.len() > MOST {
            names.push(format!("and {} more", types.len() - MOST));
        }
        names.join(", ")
    };
    format!("({}) -> ({})", list(ty.params()), list(ty.results()))
}

/// The names of modules that import from each other in turn.
pub(super) fn chain<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.map(text::name).collect();
    names.join(" -> ")
}

/// Messages, of which only the first are kept.
#[derive(Default)]
pub(super) struct Listed {
    messages: Vec<String>,
    more: usize,
}

impl Listed {
    pub(super) fn add(&mut self, message: impl FnOnce() -> String) {
        match self.messages.len() < MOST {
            true => self.messages.push(message()),
            false => self.more += 1,
        }
    }

    /// The messages as faults, and one that says how many more there are. `of` names the kind of imports.
    pub(super) fn into_faults(self, of: &str) -> impl Iterator<Item = Fault> {
        let more = (self.more > 0).then(|| format!("there are {} more {of}", self.more));
        self.messages.into_iter().chain(more).map(Fault::link)
    }
}
