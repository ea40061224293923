//! The functions that the host has for every plugin, with their types: those of the ABI and of WASI.

use std::collections::HashMap;
use std::sync::Arc;

use wasmparser::{FuncType, ValType};
use wasmtime::{Extern, Store};

use crate::host::HostContext;
use crate::host::extism::ENV;
use crate::host::plugin_state::{PluginOptions, PluginState};
use crate::host::wasi;
use crate::link::base::Base;
use crate::link::store::StoreData;

/// Functions by their names.
pub(super) type Functions = HashMap<String, FuncType>;

/// The host's functions.
pub(crate) struct Known {
    pub(super) abi: Functions,
    pub(super) wasi: Functions,
}

impl Known {
    /// Reads them from the base's linker that has WASI.
    pub(crate) fn of(base: &Base) -> wasmtime::Result<Known> {
        let linker = base.linker(true);
        let (mut abi, mut wasi) = (Functions::new(), Functions::new());
        let mut store = store(base);
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

/// The type of one of the host's own functions: their parameters and results are all numbers.
fn plain(ty: &wasmtime::FuncType) -> wasmtime::Result<FuncType> {
    let number = |ty| match ty {
        wasmtime::ValType::I32 => Ok(ValType::I32),
        wasmtime::ValType::I64 => Ok(ValType::I64),
        wasmtime::ValType::F32 => Ok(ValType::F32),
        wasmtime::ValType::F64 => Ok(ValType::F64),
        other => Err(wasmtime::format_err!(
            "a function of the host has a parameter or a result of the type {other}"
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

/// A store without instances, through which the items of a linker can be read.
pub(super) fn store(base: &Base) -> Store<StoreData> {
    let plugin = Arc::new(PluginState::new(PluginOptions::default(), false));
    Store::new(
        base.engine,
        StoreData::new(HostContext::new(plugin, 0, None)),
    )
}
