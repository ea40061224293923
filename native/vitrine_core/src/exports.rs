//! What a plugin exports: which functions can be called, and how.

use std::collections::BTreeMap;

use wasmtime::{ExternType, FuncType, Module, ModuleExport, ValType};

use crate::error::{Error, Reason};

/// How an exported function can be called as a plugin function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportKind {
    /// `() -> ()`.
    Plain,
    /// `() -> i32`, the return code.
    Code,
    /// `() -> t` for another type: callable, its result means failure.
    Other,
    /// It takes parameters.
    TakesParameters,
    /// It has more results than one.
    ManyResults(usize),
}

pub(crate) struct Export {
    pub(crate) kind: ExportKind,
    pub(crate) at: ModuleExport,
    is_start: bool,
}

impl Export {
    /// A program's `_start` ends the program: what it leaves is not called again.
    pub(crate) fn is_start(&self) -> bool {
        self.is_start
    }
}

/// A module's exported functions.
pub(crate) struct Exports {
    by_name: BTreeMap<String, usize>,
    list: Vec<Export>,
}

impl Exports {
    pub(crate) fn of(module: &Module) -> Exports {
        let (mut by_name, mut list) = (BTreeMap::new(), Vec::new());
        for export in module.exports() {
            let name = export.name();
            if let (ExternType::Func(ty), Some(at)) = (export.ty(), module.get_export_index(name)) {
                by_name.insert(name.to_owned(), list.len());
                list.push(Export {
                    kind: kind(&ty),
                    at,
                    is_start: name == "_start",
                });
            }
        }
        Exports { by_name, list }
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    pub(crate) fn at(&self, index: usize) -> Option<&Export> {
        self.list.get(index)
    }

    pub(crate) fn kind(&self, name: &str) -> Option<ExportKind> {
        self.at(*self.by_name.get(name)?).map(|export| export.kind)
    }

    /// The names of those that succeed or fail by what they return.
    pub(crate) fn functions(&self) -> impl Iterator<Item = &str> {
        let named = self.by_name.iter();
        let named = named.filter(|(_, index)| {
            let kind = self.at(**index).map(|export| export.kind);
            matches!(kind, Some(ExportKind::Plain | ExportKind::Code))
        });
        named.map(|(name, _)| name.as_str())
    }

    /// The index of an export that can be called as a plugin function.
    pub(crate) fn callable(&self, name: &str) -> Result<usize, Error> {
        let refuse = |why: String| Err(Error::new(Reason::FunctionNotFound, why));
        let Some(index) = self.by_name.get(name) else {
            return refuse(format!("Function not found: {name}"));
        };
        match self.at(*index).map(|export| export.kind) {
            Some(ExportKind::TakesParameters) => refuse(format!(
                "Function {name} takes parameters, a plugin function takes none"
            )),
            Some(ExportKind::ManyResults(n)) => {
                refuse(format!("Function {name} has {n} results, expected 0 or 1"))
            }
            _ => Ok(*index),
        }
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
        (Some(_), 0) => ExportKind::Other,
        (Some(_), more) => ExportKind::ManyResults(more + 1),
    }
}
