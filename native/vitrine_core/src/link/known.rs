//! What the host has for every plugin: the functions of the ABI and of WASI, with their types.

use std::collections::HashMap;
use std::sync::Arc;

use wasmparser::{FuncType, ValType};
use wasmtime::{Extern, Linker, Store};

use super::Links;
use crate::abi::ENV;
use crate::making::Making;
use crate::platform::Platform;
use crate::plugin::{Plugin, PluginOptions};
use crate::state::HostState;
use crate::wasi;

/// Functions by their names.
pub(super) type Functions = HashMap<String, FuncType>;

/// What the host has.
pub(crate) struct Known {
    pub(super) abi: Functions,
    pub(super) wasi: Functions,
}

impl Known {
    /// What the platform's linker with everything in it has.
    pub(crate) fn of(platform: &'static Platform) -> wasmtime::Result<Known> {
        let linker = platform.linker(true);
        let (mut abi, mut wasi) = (Functions::new(), Functions::new());
        let mut store = store(platform)?;
        let found: Vec<_> = linker.iter(&mut store).collect();
        for (namespace, name, function) in found {
            let functions = match namespace {
                ENV => &mut abi,
                wasi::NAMESPACE => &mut wasi,
                _ => continue,
            };
            if let Extern::Func(function) = function {
                functions.insert(name.into(), plain(&function.ty(&store))?);
            }
        }
        Ok(Known { abi, wasi })
    }
}

/// The host's own functions take and give numbers.
fn plain(ty: &wasmtime::FuncType) -> wasmtime::Result<FuncType> {
    let number = |ty| match ty {
        wasmtime::ValType::I32 => Ok(ValType::I32),
        wasmtime::ValType::I64 => Ok(ValType::I64),
        wasmtime::ValType::F32 => Ok(ValType::F32),
        wasmtime::ValType::F64 => Ok(ValType::F64),
        other => Err(wasmtime::format_err!(
            "a function of the host's takes {other}"
        )),
    };
    let params = ty
        .params()
        .map(number)
        .collect::<wasmtime::Result<Vec<_>>>()?;
    let results = ty
        .results()
        .map(number)
        .collect::<wasmtime::Result<Vec<_>>>()?;
    Ok(FuncType::new(params, results))
}

/// A store of a plugin without modules, to look into a linker with.
pub(super) fn store(platform: &'static Platform) -> wasmtime::Result<Store<HostState>> {
    let plugin = Plugin::new(Arc::new(nothing(platform)), PluginOptions::default())?;
    let state = HostState::new((*plugin.shared).clone(), None);
    Ok(Store::new(&platform.engine, state))
}

/// Links of no module.
fn nothing(platform: &'static Platform) -> Links {
    Links {
        platform,
        modules: Vec::new(),
        main: 0,
        linker: Linker::new(&platform.engine),
        trampolines: None,
        has_wasi: false,
        lends_blocks: false,
        long_steps: false,
        has_blank_memory: false,
        making: Making::default(),
    }
}
