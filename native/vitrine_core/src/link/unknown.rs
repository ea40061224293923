//! Imports that are nowhere, told all at once.

use wasmtime::{Linker, UnknownImportError};

use super::resolve::{incompatible, unlinkable};
use crate::abi::ENV;
use crate::error::Error;
use crate::state::HostState;
use crate::text;
use crate::wasi;

/// How many are told by name.
const MOST: usize = 10;

/// What is wrong with imports of a module along the `way`, given what `check` found first: the unknown ones, if
/// that is one, or just that.
pub(super) fn or<T>(
    error: wasmtime::Error,
    linker: &Linker<HostState>,
    check: impl Fn(&Linker<HostState>) -> wasmtime::Result<T>,
    way: &str,
) -> Error {
    let mut linker = linker.clone();
    let mut names = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let Some(unknown) = error.downcast_ref::<UnknownImportError>() else {
            if names.is_empty() {
                return incompatible(&error, way);
            }
            break;
        };
        let (namespace, name) = (unknown.module().to_owned(), unknown.name().to_owned());
        // As if it were there, to find the next.
        let ty = unknown.ty().func().cloned();
        let defined = ty.map(|ty| linker.func_new(&namespace, &name, ty, |_, _, _| Ok(())));
        names.push((namespace, name));
        next = match defined {
            Some(Ok(_)) if names.len() <= MOST => check(&linker).err(),
            _ => None,
        };
    }
    unknown_imports(&names, way)
}

/// Imports that are nowhere, of a module that the main one imports from along the `way`.
pub(crate) fn unknown_imports(names: &[(String, String)], way: &str) -> Error {
    let mut hints = Vec::new();
    for (namespace, _) in names {
        let hint = match namespace.as_str() {
            wasi::NAMESPACE => "the plugin needs WASI: give wasi: true",
            ENV => "this version of the Extism ABI has no such function",
            _ => "is a host function missing from host_functions?",
        };
        if !hints.contains(&hint) {
            hints.push(hint);
        }
    }
    let told = names.iter().take(MOST);
    let told: Vec<_> = told
        .map(|(namespace, name)| text::import(namespace, name))
        .collect();
    let (plural, more) = (
        if names.len() > 1 { "s" } else { "" },
        if names.len() > MOST { " and more" } else { "" },
    );
    unlinkable(format!(
        "unknown import{plural}: {}{more}{way}; {}",
        told.join(", "),
        hints.join("; ")
    ))
}
