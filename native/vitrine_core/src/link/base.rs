//! Everything that all plugins of the same [`Settings`] share: the kernel, compiled by their engine, and the linkers
//! that they start from. A base is made when it is first needed and is kept for good: there are few settings.

use std::collections::HashMap;
use std::sync::{LazyLock, OnceLock};

use parking_lot::Mutex;
use wasmtime::{Engine, ExternType, InstancePre, Linker, Module, ModuleExport};

use crate::compile::engine::{Settings, cannot_start, engine};
use crate::error::{Error, Reason};
use crate::host::extism::{self, ENV};
use crate::host::wasi;
use crate::link::Known;
use crate::link::store::StoreData;
use crate::schedule::workers::on_deep_stack;

const KERNEL_WASM: &[u8] = include_bytes!("../../../../priv/kernel.wasm");

pub(crate) struct Base {
    pub(crate) engine: &'static Engine,
    pub(crate) kernel: Kernel,
    pub(crate) settings: Settings,
    /// The linkers that every plugin starts from: without WASI, and with it.
    linkers: [Linker<StoreData>; 2],
    known: OnceLock<Known>,
}

/// The kernel, ready to be instantiated in each plugin's store.
pub(crate) struct Kernel {
    pub(crate) pre: InstancePre<StoreData>,
    pub(crate) memory: ModuleExport,
    pub(crate) module: Module,
}

static BASES: LazyLock<Mutex<HashMap<Settings, &'static Base>>> = LazyLock::new(Mutex::default);

impl Base {
    /// The base of these settings. Making one takes milliseconds.
    pub(crate) fn get(settings: Settings) -> Result<&'static Base, Error> {
        let mut bases = BASES.lock();
        if let Some(base) = bases.get(&settings) {
            return Ok(base);
        }
        let engine = engine(settings)?;
        let base = on_deep_stack(|| Base::new(engine, settings)).map_err(|e| cannot_start(&e))?;
        let base: &'static Base = Box::leak(Box::new(base));
        bases.insert(settings, base);
        Ok(base)
    }

    fn new(engine: &'static Engine, settings: Settings) -> wasmtime::Result<Base> {
        let kernel = load_kernel(engine)?;
        let linkers = [
            linker(engine, &kernel, false)?,
            linker(engine, &kernel, true)?,
        ];
        Ok(Base {
            engine,
            kernel,
            settings,
            linkers,
            known: OnceLock::new(),
        })
    }

    /// The functions that the host has, to check imports against.
    pub(crate) fn known(&'static self) -> Result<&'static Known, Error> {
        if self.known.get().is_none() {
            let known = Known::of(self);
            let known = known.map_err(|e| Error::new(Reason::Link, format!("{e:#}")))?;
            let _ = self.known.set(known);
        }
        self.known
            .get()
            .ok_or_else(|| Error::new(Reason::Link, "the host's functions are not known"))
    }

    /// A linker with the ABI, and with WASI if `has_wasi` is set. Host functions are added to it.
    pub(crate) fn linker(&self, has_wasi: bool) -> Linker<StoreData> {
        self.linkers[usize::from(has_wasi)].clone()
    }
}

fn load_kernel(engine: &Engine) -> wasmtime::Result<Kernel> {
    let module = Module::new(engine, KERNEL_WASM)?;
    let pre = Linker::new(engine).instantiate_pre(&module)?;
    match module.get_export_index("memory") {
        Some(memory) => Ok(Kernel {
            pre,
            memory,
            module,
        }),
        None => wasmtime::bail!("the kernel exports no memory"),
    }
}

/// A linker with the ABI's own functions and the kernel's. The kernel's are placeholders that imports are type-checked
/// against: instantiation replaces them by the functions of the plugin's own kernel.
fn linker(engine: &Engine, kernel: &Kernel, has_wasi: bool) -> wasmtime::Result<Linker<StoreData>> {
    let mut linker = Linker::new(engine);
    linker.allow_shadowing(true);
    for export in kernel.module.exports() {
        if let ExternType::Func(ty) = export.ty() {
            linker.func_new(ENV, export.name(), ty, |_, _, _| {
                wasmtime::bail!("a kernel function was not linked to its kernel")
            })?;
        }
    }
    extism::link(&mut linker)?;
    if has_wasi {
        wasi::link(&mut linker)?;
    }
    Ok(linker)
}
