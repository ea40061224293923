//! Where each import of a module comes from: decided once, when the plugin is made.

use std::sync::{Arc, LazyLock};

use wasmtime::{
    ExternType, FuncType, InstancePre, Linker, Module, ModuleExport, UnknownImportError,
};

use crate::abi::{self, ENV};
use crate::compile::Compiled;
use crate::engine::engine;
use crate::error::{Error, Reason};
use crate::host_function::{HostFunction, invoke};
use crate::state::HostState;
use crate::wasi;

const KERNEL_WASM: &[u8] = include_bytes!("../../../priv/kernel.wasm");

/// The kernel, ready to be instantiated with each plugin.
pub(crate) struct KernelModule {
    pub(crate) pre: InstancePre<HostState>,
    pub(crate) memory: ModuleExport,
    module: Module,
}

static KERNEL: LazyLock<Result<KernelModule, String>> =
    LazyLock::new(|| load_kernel().map_err(|e| format!("{e:#}")));

fn load_kernel() -> wasmtime::Result<KernelModule> {
    let engine = engine().map_err(wasmtime::Error::new)?;
    let module = Module::new(engine, KERNEL_WASM)?;
    let pre = Linker::new(engine).instantiate_pre(&module)?;
    match module.get_export_index("memory") {
        Some(memory) => Ok(KernelModule {
            pre,
            memory,
            module,
        }),
        None => wasmtime::bail!("the kernel exports no memory"),
    }
}

pub(crate) fn kernel() -> Result<&'static KernelModule, Error> {
    KERNEL
        .as_ref()
        .map_err(|message| Error::new(Reason::Link, message.clone()))
}

/// Where an import comes from.
pub(crate) enum Source {
    Kernel(ModuleExport),
    /// A host function, one of the ABI's or WASI's: found in the linker under the import's name.
    Linker,
}

/// What can be told of a module's imports before anything is linked.
pub(crate) struct Needs {
    pub(crate) logs: bool,
}

impl Needs {
    pub(crate) fn of(module: &Module) -> Result<Needs, Error> {
        for import in module.imports().filter(|import| import.module() == ENV) {
            if !matches!(import.ty(), ExternType::Func(_)) {
                return Err(unlinkable(format!(
                    "linked modules cannot access non-function exports of the kernel: {ENV}::{}",
                    import.name()
                )));
            }
        }
        let logs = module
            .imports()
            .any(|import| import.module() == ENV && abi::is_log_function(import.name()));
        Ok(Needs { logs })
    }
}

/// A module's imports, resolved.
pub(crate) struct Links {
    pub(crate) sources: Vec<Source>,
    pub(crate) linker: Linker<HostState>,
}

/// What every plugin is linked with, without and with WASI.
static BASE: LazyLock<[Result<Linker<HostState>, Error>; 2]> =
    LazyLock::new(|| [base(false), base(true)]);

/// The ABI's own functions and, to check types against, the kernel's: those are replaced by the
/// ones of the plugin's own kernel when it is instantiated.
fn base(has_wasi: bool) -> Result<Linker<HostState>, Error> {
    let mut linker = Linker::new(engine()?);
    linker.allow_shadowing(true);
    for export in kernel()?.module.exports() {
        if let ExternType::Func(ty) = export.ty() {
            linker
                .func_new(ENV, export.name(), ty, |_, _, _| {
                    wasmtime::bail!("a kernel function was not linked to its kernel")
                })
                .map_err(incompatible)?;
        }
    }
    abi::link(&mut linker).map_err(incompatible)?;
    if has_wasi {
        wasi::link(&mut linker)?;
    }
    Ok(linker)
}

/// Finds every import of the module: first among the host functions, then in the kernel and the
/// ABI, then in WASI if the plugin has it.
pub(crate) fn link(
    compiled: &Compiled,
    functions: &[HostFunction],
    has_wasi: bool,
) -> Result<Links, Error> {
    let kernel = kernel()?;
    let mut linker = BASE[usize::from(has_wasi)].clone()?;
    let mut sources = Vec::new();
    for import in compiled.module.imports() {
        let (namespace, name) = (import.module(), import.name());
        let host = functions
            .iter()
            .position(|f| f.namespace == namespace && f.name == name);
        sources.push(
            match (host, import.ty(), kernel.module.get_export_index(name)) {
                (Some(index), ExternType::Func(wanted), _) => {
                    define(&mut linker, &functions[index], index, &wanted)?;
                    Source::Linker
                }
                (_, _, Some(export)) if namespace == ENV => Source::Kernel(export),
                _ => Source::Linker,
            },
        );
    }
    linker
        .instantiate_pre(&compiled.module)
        .map_err(incompatible)?;
    Ok(Links { sources, linker })
}

fn define(
    linker: &mut Linker<HostState>,
    function: &HostFunction,
    index: usize,
    wanted: &FuncType,
) -> Result<(), Error> {
    let import = Arc::new(function.import(index, wanted)?);
    linker
        .func_new_async(
            &function.namespace,
            &function.name,
            wanted.clone(),
            move |caller, params, results| {
                Box::new(invoke(caller, import.clone(), params, results))
            },
        )
        .map_err(incompatible)?;
    Ok(())
}

fn incompatible(error: wasmtime::Error) -> Error {
    match error.downcast_ref::<UnknownImportError>() {
        Some(unknown) => unlinkable(format!(
            "unknown import: {}::{}; {}",
            unknown.module(),
            unknown.name(),
            match unknown.module() {
                wasi::NAMESPACE => "the plugin needs WASI: give wasi: true",
                ENV => "this version of the Extism ABI has no such function",
                _ => "is a host function missing from host_functions?",
            }
        )),
        None => unlinkable(format!("{error:#}")),
    }
}

fn unlinkable(message: String) -> Error {
    Error::new(Reason::Link, message)
}
