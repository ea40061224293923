//! Exports all state of a module under names of our own, so that the host can read it and put it back. The bytes of
//! everything else are copied as they are.

use std::ops::Range;

use wasm_encoder::{ExportKind, ExportSection, Module, RawSection, SectionId};
use wasmparser::{ExternalKind, Parser, Payload, TypeRef};

use crate::error::Error;

/// The prefix of the names of our own.
const PREFIX: &str = "vitrine:";

/// The name that the start function is exported under.
pub const START: &str = "vitrine:start";

/// Returns true if a name is that of a memory, table or global that was exported here.
pub fn is_state(name: &str) -> bool {
    name.starts_with(PREFIX) && name != START
}

/// The name that the memory of this index is exported under.
pub fn memory(index: u32) -> String {
    format!("{PREFIX}memory:{index}")
}

/// The name that the global of this index is exported under, if it is mutable.
pub fn global(index: u32) -> String {
    format!("{PREFIX}global:{index}")
}

fn table(index: u32) -> String {
    format!("{PREFIX}table:{index}")
}

/// The way in which the start function is kept.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// It runs when the module is instantiated.
    Run,
    /// It is exported, and does not run by itself.
    Export,
}

/// The numbers of items of each kind: the number of imported items, and then that of all items.
#[derive(Default)]
struct Counts {
    memories: u32,
    tables: u32,
    globals: u32,
}

/// The module with its own memories, tables and mutable globals exported.
///
/// # Errors
///
/// Returns an error if the module is malformed.
pub fn export_state(wasm: &[u8], start: Start) -> Result<Vec<u8>, Error> {
    let (mut counts, mut exports) = (Counts::default(), ExportSection::new());
    let mut sections: Vec<(u8, Range<usize>)> = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload?;
        if let Some((id, range)) = payload.as_section() {
            sections.push((id, range));
        }
        match payload {
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    match import?.ty {
                        TypeRef::Memory(_) => counts.memories += 1,
                        TypeRef::Table(_) => counts.tables += 1,
                        TypeRef::Global(_) => counts.globals += 1,
                        _ => (),
                    }
                }
            }
            Payload::TableSection(tables) => {
                let first = counts.tables;
                for index in first..first + tables.count() {
                    exports.export(&table(index), ExportKind::Table, index);
                }
            }
            Payload::MemorySection(memories) => {
                let first = counts.memories;
                for index in first..first + memories.count() {
                    exports.export(&memory(index), ExportKind::Memory, index);
                }
            }
            Payload::GlobalSection(globals) => {
                for (index, own) in (counts.globals..).zip(globals) {
                    if own?.ty.mutable {
                        exports.export(&global(index), ExportKind::Global, index);
                    }
                }
            }
            Payload::StartSection { func, .. } if start == Start::Export => {
                exports.export(START, ExportKind::Func, func);
            }
            Payload::ExportSection(own) => {
                for export in own {
                    let export = export?;
                    exports.export(export.name, kind(export.kind), export.index);
                }
            }
            _ => (),
        }
    }
    let (mut module, mut exports) = (Module::new(), Some(exports));
    for (id, range) in sections {
        // The order of sections is fixed. All exports are known here, because the start section comes after them.
        if is_after_exports(id)
            && let Some(exports) = exports.take()
        {
            module.section(&exports);
        }
        let replaced =
            id == SectionId::Export as u8 || id == SectionId::Start as u8 && start == Start::Export;
        if !replaced {
            let data = &wasm[range];
            module.section(&RawSection { id, data });
        }
    }
    if let Some(exports) = exports {
        module.section(&exports);
    }
    Ok(module.finish())
}

fn is_after_exports(id: u8) -> bool {
    id >= SectionId::Start as u8 && id != SectionId::Tag as u8
}

fn kind(kind: ExternalKind) -> ExportKind {
    match kind {
        ExternalKind::Func | ExternalKind::FuncExact => ExportKind::Func,
        ExternalKind::Table => ExportKind::Table,
        ExternalKind::Memory => ExportKind::Memory,
        ExternalKind::Global => ExportKind::Global,
        ExternalKind::Tag => ExportKind::Tag,
    }
}
