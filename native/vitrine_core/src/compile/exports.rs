//! The functions that a module exports, and how they can be called.

use wasmtime::{ExternType, FuncType, Module, ModuleExport, ValType};

/// How an exported function can be called as a plugin function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportKind {
    /// `() -> ()`.
    Plain,
    /// `() -> i32`, the return code.
    Code,
    /// `() -> t` for another type.
    OtherResult,
    /// The function takes parameters.
    TakesParameters,
    /// The function has more than one result.
    ManyResults(usize),
}

impl ExportKind {
    /// Whether the export is a plugin function.
    pub fn is_callable(self) -> bool {
        matches!(self, ExportKind::Plain | ExportKind::Code)
    }
}

pub(crate) struct Export {
    pub(crate) kind: ExportKind,
    pub(crate) at: ModuleExport,
    is_start: bool,
}

impl Export {
    /// Whether this is `_start`. It ends a program, so nothing is called in the instance afterwards.
    pub(crate) fn is_start(&self) -> bool {
        self.is_start
    }
}

/// A module's exported functions.
pub(crate) struct Exports {
    /// The names with their indices in `list`, sorted by [`key`], because each call looks one up.
    by_name: Vec<(Box<str>, usize)>,
    list: Vec<Export>,
}

/// The sort key of a name. Names of different lengths are told apart without comparing their bytes.
fn key(name: &str) -> (usize, &str) {
    (name.len(), name)
}

impl Exports {
    pub(crate) fn of(module: &Module) -> Exports {
        let (mut by_name, mut list) = (Vec::new(), Vec::new());
        for export in module.exports() {
            let name = export.name();
            if let (ExternType::Func(ty), Some(at)) = (export.ty(), module.get_export_index(name)) {
                by_name.push((Box::from(name), list.len()));
                list.push(Export {
                    kind: kind(&ty),
                    at,
                    is_start: name == "_start",
                });
            }
        }
        by_name.sort_unstable_by(|(one, _), (other, _)| key(one).cmp(&key(other)));
        Exports { by_name, list }
    }

    fn find(&self, name: &str) -> Option<usize> {
        let found = self
            .by_name
            .binary_search_by(|(other, _)| key(other).cmp(&key(name)));
        self.by_name.get(found.ok()?).map(|(_, index)| *index)
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    pub(crate) fn at(&self, index: usize) -> Option<&Export> {
        self.list.get(index)
    }

    pub(crate) fn kind(&self, name: &str) -> Option<ExportKind> {
        self.at(self.find(name)?).map(|export| export.kind)
    }

    /// The names of the plugin functions, sorted.
    pub(crate) fn functions(&self) -> Vec<&str> {
        let named = self.by_name.iter();
        let named = named.filter(|(_, index)| {
            self.at(*index)
                .is_some_and(|export| export.kind.is_callable())
        });
        let mut names: Vec<_> = named.map(|(name, _)| &**name).collect();
        names.sort_unstable();
        names
    }

    /// The index of an export that can be called as a plugin function.
    pub(crate) fn callable(&self, name: &str) -> Option<usize> {
        let index = self.find(name)?;
        self.at(index)?.kind.is_callable().then_some(index)
    }
}

fn kind(ty: &FuncType) -> ExportKind {
    if ty.params().len() > 0 {
        return ExportKind::TakesParameters;
    }
    let mut results = ty.results();
    match (results.next(), results.len()) {
        (None, _) => ExportKind::Plain,
        (Some(ValType::I32), 0) => ExportKind::Code,
        (Some(_), 0) => ExportKind::OtherResult,
        (Some(_), more) => ExportKind::ManyResults(more + 1),
    }
}

#[cfg(test)]
mod tests {
    use wasmtime::Engine;

    use super::*;

    #[test]
    fn each_exported_function_is_found_by_its_name_and_other_names_are_not() {
        let names = [
            "",
            "a",
            "b",
            "ab",
            "ba",
            "aaa",
            "longer",
            "the longest",
            "ä",
        ];
        let functions = names.map(|name| format!(r#"(func (export "{name}"))"#));
        let text = format!(
            r#"(module (memory (export "memory") 1) {})"#,
            functions.concat()
        );
        let wasm = wat::parse_str(text).unwrap();
        let exports = Exports::of(&Module::new(&Engine::default(), wasm).unwrap());
        for (index, name) in names.into_iter().enumerate() {
            assert_eq!(exports.callable(name).unwrap(), index, "{name}");
        }
        for other in ["c", "bb", "aa", "the longer", "memory"] {
            assert_eq!(exports.callable(other), None, "{other}");
        }
        let mut sorted = names;
        sorted.sort_unstable();
        assert_eq!(exports.functions(), sorted);
    }
}
