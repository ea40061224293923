//! The type of a module: its types, imports and exports, read from its bytes before anything is compiled.

use std::ops::Range;

use wasmparser::{
    BinaryReaderError, CompositeInnerType, ExternalKind, FuncType, GlobalType, MemoryType, Parser,
    Payload, SubType, TableType, TypeRef,
};

/// The declarations of a module.
#[derive(Debug, Default)]
pub struct ModuleType {
    /// The types of functions and of objects. Externs and other types name them by index.
    pub types: Vec<SubType>,
    /// For each type, the range of the recursion group that it belongs to.
    pub groups: Vec<Range<u32>>,
    /// The imports.
    pub imports: Vec<Import>,
    /// The exports.
    pub exports: Vec<Export>,
    /// The memories, the imported ones first.
    pub memories: Vec<MemoryType>,
    /// The tables, the imported ones first.
    pub tables: Vec<TableType>,
    /// The index of the start function.
    pub start: Option<u32>,
}

/// Something that a module imports.
#[derive(Debug, Clone)]
pub struct Import {
    /// The first part of the name.
    pub namespace: String,
    /// The second part.
    pub name: String,
    /// Its type.
    pub ty: Extern,
}

/// Something that a module exports.
#[derive(Debug, Clone)]
pub struct Export {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: Extern,
    /// The index among the items of the same kind.
    pub index: u32,
}

/// The type of an import or export.
#[derive(Debug, Clone, Copy)]
pub enum Extern {
    /// A function, with the index of its type in [`ModuleType::types`].
    Function(u32),
    /// A memory.
    Memory(MemoryType),
    /// A table.
    Table(TableType),
    /// A global.
    Global(GlobalType),
    /// A tag of exceptions, with the index of its type.
    Tag(u32),
}

impl Extern {
    /// The kind, as a word.
    pub fn kind(&self) -> &'static str {
        match self {
            Extern::Function(_) => "function",
            Extern::Memory(_) => "memory",
            Extern::Table(_) => "table",
            Extern::Global(_) => "global",
            Extern::Tag(_) => "tag",
        }
    }
}

/// The index spaces that [`ModuleType`] does not keep.
#[derive(Default)]
struct Spaces {
    functions: Vec<u32>,
    globals: Vec<GlobalType>,
    tags: Vec<u32>,
}

impl ModuleType {
    /// Reads the declarations of a module. For an invalid module the result may have fewer of them than the module.
    ///
    /// # Errors
    ///
    /// Returns an error if the module's sections cannot be read.
    pub fn read(wasm: &[u8]) -> Result<ModuleType, BinaryReaderError> {
        let (mut found, mut spaces) = (ModuleType::default(), Spaces::default());
        for payload in Parser::new(0).parse_all(wasm) {
            found.note(&payload?, &mut spaces)?;
        }
        Ok(found)
    }

    fn note(
        &mut self,
        payload: &Payload<'_>,
        spaces: &mut Spaces,
    ) -> Result<(), BinaryReaderError> {
        match payload {
            Payload::TypeSection(groups) => {
                for group in groups.clone() {
                    let begin = self.types.len() as u32;
                    self.types.extend(group?.into_types());
                    let end = self.types.len() as u32;
                    self.groups.extend((begin..end).map(|_| begin..end));
                }
            }
            Payload::ImportSection(imports) => {
                for import in imports.clone().into_imports() {
                    let import = import?;
                    let ty = self.imported(import.ty, spaces);
                    let (namespace, name) = (import.module.into(), import.name.into());
                    self.imports.push(Import {
                        namespace,
                        name,
                        ty,
                    });
                }
            }
            Payload::FunctionSection(types) => {
                for ty in types.clone() {
                    spaces.functions.push(ty?);
                }
            }
            Payload::TableSection(tables) => {
                for table in tables.clone() {
                    self.tables.push(table?.ty);
                }
            }
            Payload::MemorySection(memories) => {
                for memory in memories.clone() {
                    self.memories.push(memory?);
                }
            }
            Payload::GlobalSection(globals) => {
                for global in globals.clone() {
                    spaces.globals.push(global?.ty);
                }
            }
            Payload::TagSection(tags) => {
                for tag in tags.clone() {
                    spaces.tags.push(tag?.func_type_idx);
                }
            }
            Payload::ExportSection(exports) => {
                for export in exports.clone() {
                    let export = export?;
                    if let Some(ty) = self.exported(export.kind, export.index, spaces) {
                        let (name, index) = (export.name.into(), export.index);
                        self.exports.push(Export { name, ty, index });
                    }
                }
            }
            Payload::StartSection { func, .. } => self.start = Some(*func),
            _ => (),
        }
        Ok(())
    }

    fn imported(&mut self, ty: TypeRef, spaces: &mut Spaces) -> Extern {
        match ty {
            TypeRef::Func(ty) | TypeRef::FuncExact(ty) => {
                spaces.functions.push(ty);
                Extern::Function(ty)
            }
            TypeRef::Table(ty) => {
                self.tables.push(ty);
                Extern::Table(ty)
            }
            TypeRef::Memory(ty) => {
                self.memories.push(ty);
                Extern::Memory(ty)
            }
            TypeRef::Global(ty) => {
                spaces.globals.push(ty);
                Extern::Global(ty)
            }
            TypeRef::Tag(tag) => {
                spaces.tags.push(tag.func_type_idx);
                Extern::Tag(tag.func_type_idx)
            }
        }
    }

    fn exported(&self, kind: ExternalKind, index: u32, spaces: &Spaces) -> Option<Extern> {
        let at = index as usize;
        Some(match kind {
            ExternalKind::Func | ExternalKind::FuncExact => {
                Extern::Function(*spaces.functions.get(at)?)
            }
            ExternalKind::Table => Extern::Table(*self.tables.get(at)?),
            ExternalKind::Memory => Extern::Memory(*self.memories.get(at)?),
            ExternalKind::Global => Extern::Global(*spaces.globals.get(at)?),
            ExternalKind::Tag => Extern::Tag(*spaces.tags.get(at)?),
        })
    }

    /// The type of a function, by its index.
    pub fn function(&self, ty: u32) -> Option<&FuncType> {
        match &self.types.get(ty as usize)?.composite_type.inner {
            CompositeInnerType::Func(ty) => Some(ty),
            _ => None,
        }
    }

    /// The type of a function, if an embedder can make such a type: it is alone in its group, and has no subtypes.
    pub fn plain_function(&self, ty: u32) -> Option<&FuncType> {
        let sub = self.types.get(ty as usize)?;
        let alone = self.groups.get(ty as usize)?.len() == 1;
        let plain = sub.is_final && sub.supertype_idx.is_none() && !sub.composite_type.shared;
        self.function(ty).filter(|_| alone && plain)
    }

    /// The names of the exports that can be called as plugin functions: functions without parameters, and with no
    /// result or a return code.
    pub fn plugin_functions(&self) -> impl Iterator<Item = &str> {
        let functions = self.exports.iter().filter(|export| match export.ty {
            Extern::Function(ty) => self.function(ty).is_some_and(|ty| {
                ty.params().is_empty() && matches!(ty.results(), [] | [wasmparser::ValType::I32])
            }),
            _ => false,
        });
        functions.map(|export| &*export.name)
    }

    /// The number of the module's own memories.
    pub fn own_memories(&self) -> usize {
        self.memories.len() - self.imported_of("memory")
    }

    /// The number of the module's own tables.
    pub fn own_tables(&self) -> usize {
        self.tables.len() - self.imported_of("table")
    }

    fn imported_of(&self, kind: &str) -> usize {
        let imports = self.imports.iter();
        imports.filter(|import| import.ty.kind() == kind).count()
    }

    /// The import that an export re-exports, if there is one.
    pub fn handed_on(&self, export: &Export) -> Option<&Import> {
        let kind = export.ty.kind();
        let mut same = self
            .imports
            .iter()
            .filter(|import| import.ty.kind() == kind);
        same.nth(export.index as usize)
    }

    /// Returns true if the module is a command. As a library, a command begins anew with each call.
    pub fn is_command(&self) -> bool {
        let has = |name: &str| {
            let mut exports = self.exports.iter();
            exports.any(|export| export.name == name && export.ty.kind() == "function")
        };
        has("_start") && !has("_initialize")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_an_invalid_module_may_find_less_and_does_not_panic() {
        let read = |text: &str| ModuleType::read(&wat::parse_str(text).unwrap());
        // A text that names a missing item by its index is encoded as it is.
        let odd = r#"(module (import "a" "b" (func (type 8))) (export "m" (memory 3)) (export "t" (table 3))
            (export "g" (global 3)) (export "f" (func 7)))"#;
        let found = read(odd).unwrap();
        assert!(found.exports.is_empty());
        assert!(found.function(8).is_none() && found.plain_function(8).is_none());
        assert!(ModuleType::read(b"\0asm\x01\0\0\0\x01").is_err());
    }

    #[test]
    fn a_plain_function_is_alone_in_its_group_and_has_no_subtypes() {
        let text = r#"(module (type $plain (func (param i32))) (type $open (sub (func)))
            (rec (type $one (func)) (type $other (func))) (type $object (struct)))"#;
        let found = ModuleType::read(&wat::parse_str(text).unwrap()).unwrap();
        let plain: Vec<_> = (0..5)
            .map(|ty| found.plain_function(ty).is_some())
            .collect();
        assert_eq!(plain, [true, false, false, false, false]);
        assert!(found.function(3).is_some() && found.function(4).is_none());
    }

    #[test]
    fn an_export_of_an_import_is_known_as_such() {
        let text = r#"(module (import "a" "f" (func)) (import "a" "m" (memory 1)) (memory 1)
            (export "n" (memory 1)) (export "m" (memory 0)) (func (export "g")))"#;
        let found = ModuleType::read(&wat::parse_str(text).unwrap()).unwrap();
        let handed: Vec<_> = found
            .exports
            .iter()
            .map(|e| found.handed_on(e).is_some())
            .collect();
        assert_eq!(handed, [false, true, false]);
        assert_eq!((found.own_memories(), found.own_tables()), (1, 0));
    }
}
