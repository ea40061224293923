//! A compiled module, and what is known about it.

use std::sync::Arc;

use vitrine_memory::{Images, mappings};
use vitrine_rewrite::ModuleType;
use wasmtime::{ImportType, Module};

use crate::compile::debug_lines::Lines;
use crate::compile::engine::Settings;
use crate::compile::exports::{ExportKind, Exports};
use crate::compile::imports::Needs;
use crate::schedule::reaper::Backlog;

/// A module that is ready to be instantiated any number of times.
pub struct CompiledModule {
    pub(crate) sha256: [u8; 32],
    /// The settings of the engine that compiled it.
    pub(crate) settings: Settings,
    pub(crate) module: Module,
    /// The imports, exports and types that its bytes declare.
    pub(crate) module_type: ModuleType,
    pub(crate) exports: Exports,
    pub(crate) needs: Needs,
    /// Whether it has instructions that cannot be interrupted, so that it runs on dirty schedulers only.
    pub(crate) uninterruptible: bool,
    /// Whether it is a library that needs a fresh instance for each call.
    pub(crate) command: bool,
    /// Whether its instances are initialised already, because it is a snapshot.
    pub(crate) initialised: bool,
    /// The bytes it was compiled from, if a snapshot is to be made of it.
    pub(crate) source: Option<Vec<u8>>,
    /// Whether its last import is the kernel's memory, which is not an import of the guest's.
    pub(crate) fused: bool,
    /// The source lines of its code, if they are wanted.
    pub(crate) lines: Option<Lines>,
    /// The initial contents of its memories, as far as they are not in the code.
    pub(crate) images: Images,
    /// The instances of it that wait to be dropped.
    pub(crate) backlog: Arc<Backlog>,
}

impl CompiledModule {
    /// The sha256 of the bytes that were compiled.
    pub fn sha256(&self) -> &[u8; 32] {
        &self.sha256
    }

    /// How the exported function of this name can be called, if there is one.
    pub fn export(&self, name: &str) -> Option<ExportKind> {
        self.exports.kind(name)
    }

    /// The names of the exported functions that can be called as plugin functions, sorted.
    pub fn functions(&self) -> Vec<&str> {
        self.exports.functions()
    }

    /// The imports of the guest.
    pub(crate) fn own_imports(&self) -> impl Iterator<Item = ImportType<'_>> {
        let imports = self.module.imports();
        let own = imports.len() - usize::from(self.fused);
        imports.take(own)
    }

    /// Whether the module's own code moves bytes to and from the kernel's memory; see [`crate::CompileOptions::fuse`].
    pub fn is_fused(&self) -> bool {
        self.fused
    }

    /// The imports, exports and types that its bytes declare.
    pub fn module_type(&self) -> &ModuleType {
        &self.module_type
    }

    /// The size of its native code in bytes.
    pub fn code_size(&self) -> usize {
        self.module.text().len()
    }

    /// The most memory mappings that an instance takes.
    pub(crate) fn mappings(&self) -> u64 {
        if self.settings.dense {
            return 0;
        }
        let memories = u64::from(self.module.resources_required().num_memories);
        mappings::of_memories(memories) + mappings::of_images(self.images.count() as u64)
    }
}
