//! Trampolines: what modules import in the place of functions that do not exist yet, because modules import from each
//! other in a circle. Trampolines are the functions of a small generated module. They jump through a table, which is
//! filled once the modules of their targets are instantiated. All of it is WebAssembly, so a call through a trampoline
//! costs next to nothing and is bounded by the guest's stack.

use wasm_encoder::{
    CodeSection, ExportKind, ExportSection, Function, FunctionSection, Module, RefType,
    TableSection, TableType, TypeSection, ValType as Encoded,
};
use wasmtime::{Engine, FuncType, HeapType, ModuleExport, ValType};

use crate::schedule::workers::on_deep_stack;

/// The trampolines of a plugin.
pub(crate) struct Trampolines {
    pub(crate) module: wasmtime::Module,
    pub(crate) table: ModuleExport,
    /// The trampolines, by the slots of their targets in the table.
    pub(crate) functions: Vec<ModuleExport>,
}

const TABLE: &str = "table";

impl Trampolines {
    /// Makes trampolines of these types. The error names the first type that cannot have one.
    pub(crate) fn new(engine: &Engine, types: &[FuncType]) -> wasmtime::Result<Trampolines> {
        let bytes = encode(types)?;
        let module = on_deep_stack(|| wasmtime::Module::new(engine, &bytes))?;
        let export = |name: &str| {
            module
                .get_export_index(name)
                .ok_or_else(|| wasmtime::format_err!("the trampolines lack {name}"))
        };
        Ok(Trampolines {
            table: export(TABLE)?,
            functions: (0..types.len())
                .map(|slot| export(&slot.to_string()))
                .collect::<wasmtime::Result<_>>()?,
            module,
        })
    }
}

fn encode(types: &[FuncType]) -> wasmtime::Result<Vec<u8>> {
    let (mut type_section, mut functions) = (TypeSection::new(), FunctionSection::new());
    let (mut exports, mut code) = (ExportSection::new(), CodeSection::new());
    exports.export(TABLE, ExportKind::Table, 0);
    for (slot, ty) in (0u32..).zip(types) {
        let params = ty
            .params()
            .map(encode_type)
            .collect::<Result<Vec<_>, _>>()?;
        let results = ty
            .results()
            .map(encode_type)
            .collect::<Result<Vec<_>, _>>()?;
        let arity = params.len() as u32;
        type_section.ty().function(params, results);
        functions.function(slot);
        exports.export(&slot.to_string(), ExportKind::Func, slot);
        let mut body = Function::new([]);
        for param in 0..arity {
            body.instructions().local_get(param);
        }
        body.instructions()
            .i32_const(slot as i32)
            .call_indirect(0, slot)
            .end();
        code.function(&body);
    }
    let mut tables = TableSection::new();
    tables.table(TableType {
        element_type: RefType::FUNCREF,
        table64: false,
        minimum: types.len() as u64,
        maximum: None,
        shared: false,
    });
    let mut module = Module::new();
    module
        .section(&type_section)
        .section(&functions)
        .section(&tables)
        .section(&exports)
        .section(&code);
    Ok(module.finish())
}

fn encode_type(ty: ValType) -> wasmtime::Result<Encoded> {
    Ok(match ty {
        ValType::I32 => Encoded::I32,
        ValType::I64 => Encoded::I64,
        ValType::F32 => Encoded::F32,
        ValType::F64 => Encoded::F64,
        ValType::V128 => Encoded::V128,
        ValType::Ref(ref reference) => match (reference.is_nullable(), reference.heap_type()) {
            (true, HeapType::Func) => Encoded::FUNCREF,
            (true, HeapType::Extern) => Encoded::EXTERNREF,
            _ => wasmtime::bail!("a function with a parameter or result of type {ty}"),
        },
    })
}
