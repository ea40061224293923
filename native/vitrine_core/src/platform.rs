//! What all plugins of the same [`Settings`] stand on: an engine, the kernel compiled by it, and
//! the linkers they start from. Made when first needed, kept for good: there are few settings.

use std::collections::HashMap;
use std::sync::{LazyLock, OnceLock};

use parking_lot::Mutex;
use wasmtime::{Engine, ExternType, InstancePre, Linker, Module, ModuleExport};

use crate::abi::{self, ENV};
use crate::engine::{Settings, new_engine};
use crate::error::{Error, Reason};
use crate::link::Known;
use crate::state::HostState;
use crate::ticker::ticker;
use crate::wasi;

const KERNEL_WASM: &[u8] = include_bytes!("../../../priv/kernel.wasm");

pub(crate) struct Platform {
    pub(crate) engine: Engine,
    pub(crate) kernel: Kernel,
    /// See [`Settings::dense`].
    pub(crate) dense: bool,
    /// What every plugin is linked with, without and with WASI.
    linkers: [Linker<HostState>; 2],
    known: OnceLock<Known>,
}

/// The kernel, ready to be instantiated with each plugin.
pub(crate) struct Kernel {
    pub(crate) pre: InstancePre<HostState>,
    pub(crate) memory: ModuleExport,
    pub(crate) module: Module,
}

static PLATFORMS: LazyLock<Mutex<HashMap<Settings, &'static Platform>>> =
    LazyLock::new(Mutex::default);

impl Platform {
    /// The platform of these settings. It cannot be had on a processor that lacks what Wasmtime
    /// needs. Making one takes milliseconds.
    pub(crate) fn get(settings: Settings) -> Result<&'static Platform, Error> {
        let mut platforms = PLATFORMS.lock();
        if let Some(platform) = platforms.get(&settings) {
            return Ok(platform);
        }
        let platform = Platform::new(settings).map_err(|e| {
            Error::new(
                Reason::Compile,
                format!("the WebAssembly engine cannot start here: {e:#}"),
            )
        })?;
        ticker()?.tick_for(platform.engine.clone());
        let platform: &'static Platform = Box::leak(Box::new(platform));
        platforms.insert(settings, platform);
        Ok(platform)
    }

    fn new(settings: Settings) -> wasmtime::Result<Platform> {
        let engine = new_engine(settings)?;
        let kernel = load_kernel(&engine)?;
        let linkers = [
            linker(&engine, &kernel, false)?,
            linker(&engine, &kernel, true)?,
        ];
        Ok(Platform {
            engine,
            kernel,
            dense: settings.dense,
            linkers,
            known: OnceLock::new(),
        })
    }

    /// What the host has, to check imports against.
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

    /// A linker with the ABI, and WASI if it is wanted, to add host functions to.
    pub(crate) fn linker(&self, has_wasi: bool) -> Linker<HostState> {
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

/// The ABI's own functions and, to check types against, the kernel's: those are replaced by the
/// ones of the plugin's own kernel when it is instantiated.
fn linker(engine: &Engine, kernel: &Kernel, has_wasi: bool) -> wasmtime::Result<Linker<HostState>> {
    let mut linker = Linker::new(engine);
    linker.allow_shadowing(true);
    for export in kernel.module.exports() {
        if let ExternType::Func(ty) = export.ty() {
            linker.func_new(ENV, export.name(), ty, |_, _, _| {
                wasmtime::bail!("a kernel function was not linked to its kernel")
            })?;
        }
    }
    abi::link(&mut linker)?;
    if has_wasi {
        wasi::link(&mut linker)?;
    }
    Ok(linker)
}
