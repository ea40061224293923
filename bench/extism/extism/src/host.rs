//! The `extism` crate as a host.

use std::fs;
use std::path::PathBuf;

use anyhow::Result;
use cases::{Host, Module};
use extism::{
    CompiledPlugin, CurrentPlugin, Manifest, PTR, Plugin, PluginBuilder, UserData, Val, ValType,
    Wasm, WasmMetadata, host_fn,
};
use tempfile::{TempDir, tempdir};

/// The one in Cargo.toml.
pub const VERSION: &str = "1.30.0";

host_fn!(host_reflect(bytes: Vec<u8>) -> Vec<u8> { Ok(bytes) });

fn tick(_: &mut CurrentPlugin, inputs: &[Val], outputs: &mut [Val], _: UserData<()>) -> Result<()> {
    if let ([Val::I64(number)], [result]) = (inputs, outputs) {
        *result = Val::I64(number + 1);
    }
    Ok(())
}

pub struct Extism {
    /// The file that says where native code is kept: not in the cache of this machine's user.
    cache: PathBuf,
    /// Deleted in the end.
    _directory: TempDir,
}

impl Extism {
    pub fn new() -> Result<Extism> {
        let directory = tempdir()?;
        let cache = directory.path().join("cache.toml");
        let native = directory.path().join("native");
        fs::write(&cache, format!("[cache]\ndirectory = {native:?}\n"))?;
        Ok(Extism {
            cache,
            _directory: directory,
        })
    }
}

impl Host for Extism {
    type Compiled = CompiledPlugin;
    type Plugin = Plugin;

    fn compile(&self, modules: &[Module], wasi: bool, cache: bool) -> Result<CompiledPlugin> {
        // A manifest is copied for each plugin, its modules included: one module goes without.
        let builder = match modules {
            [module] => PluginBuilder::new(&*module.wasm),
            modules => PluginBuilder::new(Manifest::new(modules.iter().map(wasm))),
        };
        let builder = builder
            .with_wasi(wasi)
            .with_function(
                "host_reflect",
                [PTR],
                [PTR],
                UserData::new(()),
                host_reflect,
            )
            .with_function(
                "tick",
                [ValType::I64],
                [ValType::I64],
                UserData::new(()),
                tick,
            );
        CompiledPlugin::new(match cache {
            true => builder.with_cache_config(&self.cache),
            false => builder.with_cache_disabled(),
        })
    }

    fn plugin(&self, compiled: &CompiledPlugin) -> Result<Plugin> {
        Plugin::new_from_compiled(compiled)
    }

    fn call<R>(
        &self,
        plugin: &mut Plugin,
        function: &str,
        input: &[u8],
        look: impl FnOnce(&[u8]) -> R,
    ) -> Result<R> {
        Ok(look(plugin.call::<_, &[u8]>(function, input)?))
    }
}

fn wasm(module: &Module) -> Wasm {
    Wasm::Data {
        data: module.wasm.to_vec(),
        meta: WasmMetadata {
            name: Some(module.name.into()),
            hash: None,
        },
    }
}
