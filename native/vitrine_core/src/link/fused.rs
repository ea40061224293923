//! The kernel's memory as fused modules import it.

use vitrine_rewrite::fuse::{MEMORY, NAMESPACE, is_accessor};
use wasmtime::{Linker, Memory, MemoryType, Module};

use super::known::store;
use super::{LinkedModule, Source};
use crate::compile::compiled::CompiledModule;
use crate::link::base::Base;
use crate::link::store::StoreData;

/// Where a fused module gets its memory from, given where all its other imports come from. If one of
/// the accessors is not the kernel's, the memory is one in which the module finds nothing, so that
/// it calls what it imports.
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

/// Whether some module needs a memory in which it finds nothing.
pub(super) fn wants_blank(modules: &[LinkedModule]) -> bool {
    let mut sources = modules.iter().flat_map(|module| &module.sources);
    sources.any(|source| matches!(source, Source::Blank))
}

/// Checks the imports of a fused module as far as the linker has them. A linker takes memories of a
/// store only: this one is of a store that is gone.
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
