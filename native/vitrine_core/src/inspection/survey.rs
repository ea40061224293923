//! One pass over a valid module.

use wasmparser::{
    BinaryReaderError, CompositeInnerType, ExternalKind, FuncType, GlobalType, KnownCustom, Name,
    NameSectionReader, Parser, Payload, ProducersSectionReader, TypeRef,
};

use super::{Extern, Inspection, Producers};

type Result<T> = std::result::Result<T, BinaryReaderError>;

/// The index spaces, in which imports come first; those of memories and tables are the
/// inspection's own.
#[derive(Default)]
struct Spaces {
    functions: Vec<u32>,
    globals: Vec<GlobalType>,
}

pub(super) fn survey(wasm: &[u8]) -> Result<Inspection> {
    let (mut found, mut spaces) = (Inspection::default(), Spaces::default());
    for payload in Parser::new(0).parse_all(wasm) {
        match payload? {
            Payload::TypeSection(groups) => {
                for group in groups {
                    let types = group?.into_types();
                    found
                        .types
                        .extend(types.map(|ty| function(ty.composite_type.inner)));
                }
            }
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    let import = import?;
                    let ty = imported(import.ty, &mut found, &mut spaces);
                    let (namespace, name) = (import.module.into(), import.name.into());
                    found.imports.push((namespace, name, ty));
                }
            }
            Payload::FunctionSection(types) => {
                for ty in types {
                    spaces.functions.push(ty?);
                }
            }
            Payload::TableSection(tables) => {
                for table in tables {
                    found.tables.push(table?.ty);
                }
            }
            Payload::MemorySection(memories) => {
                for memory in memories {
                    found.memories.push(memory?);
                }
            }
            Payload::GlobalSection(globals) => {
                for global in globals {
                    spaces.globals.push(global?.ty);
                }
            }
            Payload::ExportSection(exports) => {
                for export in exports {
                    let export = export?;
                    let at = export.index as usize;
                    let ty = match export.kind {
                        ExternalKind::Func | ExternalKind::FuncExact => {
                            Extern::Function(spaces.functions[at])
                        }
                        ExternalKind::Table => Extern::Table(found.tables[at]),
                        ExternalKind::Memory => Extern::Memory(found.memories[at]),
                        ExternalKind::Global => Extern::Global(spaces.globals[at]),
                        ExternalKind::Tag => Extern::Tag,
                    };
                    found.exports.push((export.name.into(), ty));
                }
            }
            Payload::StartSection { func, .. } => found.start = Some(func),
            // What these sections say is for people; that they are damaged is no matter.
            Payload::CustomSection(section) => match section.as_known() {
                KnownCustom::Name(names) => found.name = module_name(names).or(found.name),
                KnownCustom::Producers(fields) => {
                    found.producers = producers(fields).unwrap_or_default();
                }
                _ => (),
            },
            _ => (),
        }
    }
    Ok(found)
}

fn function(ty: CompositeInnerType) -> FuncType {
    match ty {
        CompositeInnerType::Func(ty) => ty,
        _ => FuncType::new([], []),
    }
}

fn imported(ty: TypeRef, found: &mut Inspection, spaces: &mut Spaces) -> Extern {
    match ty {
        TypeRef::Func(ty) | TypeRef::FuncExact(ty) => {
            spaces.functions.push(ty);
            Extern::Function(ty)
        }
        TypeRef::Table(ty) => {
            found.tables.push(ty);
            Extern::Table(ty)
        }
        TypeRef::Memory(ty) => {
            found.memories.push(ty);
            Extern::Memory(ty)
        }
        TypeRef::Global(ty) => {
            spaces.globals.push(ty);
            Extern::Global(ty)
        }
        TypeRef::Tag(_) => Extern::Tag,
    }
}

fn module_name(names: NameSectionReader<'_>) -> Option<String> {
    names.into_iter().find_map(|name| match name {
        Ok(Name::Module { name, .. }) => Some(name.to_string()),
        _ => None,
    })
}

fn producers(fields: ProducersSectionReader<'_>) -> Result<Vec<Producers>> {
    let fields = fields.into_iter().map(|field| {
        let field = field?;
        let values = field.values.into_iter().map(|value| {
            let value = value?;
            Ok((value.name.to_string(), value.version.to_string()))
        });
        Ok((field.name.to_string(), values.collect::<Result<_>>()?))
    });
    fields.collect()
}
