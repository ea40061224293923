//! A compiled module, and what is known of it.

use std::sync::Arc;

use vitrine_memory::{Images, mappings};
use vitrine_rewrite::ModuleType;
use wasmtime::{ImportType, Module};

use crate::compile::debug_lines::Lines;
use crate::compile::engine::Settings;
use crate::compile::exports::{ExportKind, Exports};
use crate::compile::imports::Needs;
use crate::schedule::reaper::Backlog;

/// A module ready to be instantiated any number of times.
pub struct CompiledModule {
    pub(crate) sha256: [u8; 32],
    /// What it was compiled with.
    pub(crate) settings: Settings,
    pub(crate) module: Module,
    /// What its bytes declare.
    pub(crate) interface: ModuleType,
    pub(crate) exports: Exports,
    pub(crate) needs: Needs,
    /// Whether it has instructions that cannot be interrupted, so that it runs on dirty schedulers only.
    pub(crate) uninterruptible: bool,
    /// Whether it is a library of which each call wants a fresh instance.
    pub(crate) command: bool,
    /// Whether its instances are to be left as they begin.
    pub(crate) initialised: bool,
    /// What it was compiled from, if that is to become a snapshot.
    pub(crate) source: Option<Vec<u8>>,
    /// Whether its last import is the kernel's memory, and no import of the guest's.
    pub(crate) fused: bool,
    /// Where its code comes from, if that is wanted.
    pub(crate) lines: Option<Lines>,
    /// What the memories of an instance begin with, besides what is in the code.
    pub(crate) images: Images,
    /// Its instances that wait to be dropped.
    pub(crate) backlog: Arc<Backlog>,
}

impl CompiledModule {
    /// The sha256 of the bytes the module was given as.
    pub fn sha256(&self) -> &[u8; 32] {
        &self.sha256
    }

    /// How the exported function can be called, if there is one of that name.
    pub fn export(&self, name: &str) -> Option<ExportKind> {
        self.exports.kind(name)
    }

    /// The names of the exported functions that can be called as plugin functions, sorted.
    pub fn functions(&self) -> Vec<&str> {
        self.exports.functions()
    }

    /// What the guest imports.
    pub(crate) fn own_imports(&self) -> impl Iterator<Item = ImportType<'_>> {
        let imports = self.module.imports();
        let own = imports.len() - usize::from(self.fused);
        imports.take(own)
    }

    /// Whether code of the module's own moves bytes from and to the kernel: see
    /// [`crate::CompileOptions::fuse`].
    pub fn is_fused(&self) -> bool {
        self.fused
    }

    /// What its bytes declare.
    pub fn interface(&self) -> &ModuleType {
        &self.interface
    }

    /// Bytes of its native code.
    pub fn code_size(&self) -> usize {
        self.module.text().len()
    }

    /// The most mappings that the memories of an instance take.
    pub(crate) fn mappings(&self) -> u64 {
        if self.settings.dense {
            return 0;
        }
        let memories = u64::from(self.module.resources_required().num_memories);
        mappings::of_memories(memories) + mappings::of_images(self.images.count() as u64)
    }
}
