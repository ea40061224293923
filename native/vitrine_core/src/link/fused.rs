//! The kernel's memory, which fused modules import.

use vitrine_rewrite::fuse::{MEMORY, NAMESPACE, is_accessor};
use wasmtime::{Linker, Memory, MemoryType, Module};

use super::known::store;
use super::{LinkedModule, Source};
use crate::compile::compiled::CompiledModule;
use crate::link::base::Base;
use crate::link::store::StoreData;

/// The source of the memory that a fused module imports, given the sources of all its other imports. If one of the
/// accessors is not the kernel's, the memory is blank: the module's inlined code finds nothing in it and falls back to
/// calling the functions that it imports.
pub(super) fn source(base: &Base, compiled: &CompiledModule, others: &[Source]) -> Source {
    let mut imports = compiled.own_imports().zip(others);
    let is_kernels = imports.all(|(import, source)| {
        matches!(source, Source::Kernel(_)) || !is_accessor(import.module(), import.name())
    });
    match is_kernels {
        true => Source::Kernel(base.kernel.memory),
        false => Source::Blank,
    }
}

/// Whether one of the modules needs a blank memory.
pub(super) fn wants_blank(modules: &[LinkedModule]) -> bool {
    let mut sources = modules.iter().flat_map(|module| &module.sources);
    sources.any(|source| matches!(source, Source::Blank))
}

/// Type-checks the imports of a fused module against the linker.
///
/// Wasmtime's `Linker` only accepts memories that belong to a store. The store made here exists for this check alone:
/// it never runs anything, and the copy of the linker that refers to it is dropped with it.
pub(super) fn check(
    base: &Base,
    linker: &Linker<StoreData>,
    module: &Module,
) -> wasmtime::Result<()> {
    let mut linker = linker.clone();
    let mut store = store(base);
    let memory = Memory::new(&mut store, MemoryType::new(0, None))?;
    linker.define(&store, NAMESPACE, MEMORY, memory)?;
    linker.instantiate_pre(module).map(|_| ())
}
