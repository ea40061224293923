//! libextism as a host.

use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr::{null_mut, slice_from_raw_parts};
use std::{fs, slice};

use anyhow::{Result, ensure};
use cases::{Host, Module};
use tempfile::{TempDir, tempdir};

use crate::api::{self, Api, Callback, CurrentPlugin, I64, Val};
use crate::find::find;

pub struct Libextism {
    /// It is there to the end: plugins and what they are made from are dropped by it.
    api: &'static Api,
    directory: TempDir,
}

pub struct Compiled {
    api: &'static Api,
    compiled: *mut api::Compiled,
}

pub struct Plugin {
    api: &'static Api,
    plugin: *mut api::Plugin,
    /// The name of the function that was called last: C wants a zero behind it.
    function: CString,
}

impl Libextism {
    /// To be called before there are other threads.
    pub fn new() -> Result<Libextism> {
        let path = find()?;
        let directory = tempdir()?;
        let cache = directory.path().join("cache.toml");
        let native = directory.path().join("native");
        fs::write(&cache, format!("[cache]\ndirectory = {native:?}\n"))?;
        // SAFETY: there are no other threads that could read the environment.
        unsafe { std::env::set_var("EXTISM_CACHE_CONFIG", cache) };
        let api = Box::leak(Box::new(Api::load(&path)?));
        Ok(Libextism { api, directory })
    }

    pub fn version(&self) -> String {
        // SAFETY: it takes nothing, and gives a string that stays.
        let version = unsafe { CStr::from_ptr((self.api.version)()) };
        version.to_string_lossy().into_owned()
    }

    /// A host function with a number, which may be a handle, and a number back. `callback` finds the
    /// functions of the library.
    fn function(&self, name: &CStr, callback: Callback) -> *mut api::Function {
        let user_data = (self.api as *const Api).cast_mut().cast::<c_void>();
        // SAFETY: the name and the types are read at once, of each as many as it says; the user data is
        // there to the end, and nobody is asked to free it.
        unsafe {
            (self.api.function_new)(name.as_ptr(), &I64, 1, &I64, 1, callback, user_data, None)
        }
    }

    /// The module itself, or a manifest of several, which are written into files.
    fn source(&self, modules: &[Module]) -> Result<Vec<u8>> {
        if let [module] = modules {
            return Ok(module.wasm.to_vec());
        }
        let mut wasm = Vec::new();
        for (number, module) in modules.iter().enumerate() {
            let path = self.directory.path().join(format!("{number}.wasm"));
            fs::write(&path, &module.wasm)?;
            wasm.push(serde_json::json!({"name": module.name, "path": path}));
        }
        Ok(serde_json::to_vec(&serde_json::json!({"wasm": wasm}))?)
    }
}

impl Host for Libextism {
    type Compiled = Compiled;
    type Plugin = Plugin;

    /// Native code is always kept: what is new to the library is not found, and written.
    fn compile(&self, modules: &[Module], wasi: bool, _cache: bool) -> Result<Compiled> {
        let source = self.source(modules)?;
        let functions = [
            self.function(c"host_reflect", host_reflect),
            self.function(c"tick", tick),
        ];
        let mut error = null_mut();
        // SAFETY: the bytes and the functions are there while it runs, as many as it says.
        let compiled = unsafe {
            (self.api.compiled_plugin_new)(
                source.as_ptr(),
                source.len() as u64,
                functions.as_ptr().cast(),
                functions.len() as u64,
                wasi,
                &mut error,
            )
        };
        for function in functions {
            // SAFETY: each is freed once; what was made of it does not need the box.
            unsafe { (self.api.function_free)(function) };
        }
        self.check(compiled, error)?;
        Ok(Compiled {
            api: self.api,
            compiled,
        })
    }

    fn plugin(&self, compiled: &Compiled) -> Result<Plugin> {
        let mut error = null_mut();
        // SAFETY: what it is made from lives.
        let plugin = unsafe { (self.api.plugin_new_from_compiled)(compiled.compiled, &mut error) };
        self.check(plugin, error)?;
        Ok(Plugin {
            api: self.api,
            plugin,
            function: CString::default(),
        })
    }

    fn call<R>(
        &self,
        plugin: &mut Plugin,
        function: &str,
        input: &[u8],
        look: impl FnOnce(&[u8]) -> R,
    ) -> Result<R> {
        if plugin.function.to_bytes() != function.as_bytes() {
            plugin.function = CString::new(function)?;
        }
        let (api, name) = (self.api, plugin.function.as_ptr());
        // SAFETY: the plugin lives and is called by nobody else; the name ends with a zero; the
        // input is as long as it says.
        let code =
            unsafe { (api.plugin_call)(plugin.plugin, name, input.as_ptr(), input.len() as u64) };
        ensure!(code == 0, "{function} returned {code}: {}", plugin.error());
        // SAFETY: the plugin lives, and so does its output until it is called again. An empty one may
        // be anywhere.
        let output = unsafe {
            match (api.plugin_output_length)(plugin.plugin) {
                0 => &[],
                length => {
                    slice::from_raw_parts((api.plugin_output_data)(plugin.plugin), length as usize)
                }
            }
        };
        Ok(look(output))
    }
}

impl Libextism {
    /// The error of what could not be made.
    fn check<T>(&self, made: *mut T, error: *mut c_char) -> Result<()> {
        if made.is_null() && !error.is_null() {
            // SAFETY: it is a string, which is freed once, after it was copied.
            let message = unsafe {
                let message = CStr::from_ptr(error).to_string_lossy().into_owned();
                (self.api.plugin_new_error_free)(error);
                message
            };
            anyhow::bail!(message);
        }
        ensure!(!made.is_null(), "it failed, and does not say why");
        Ok(())
    }
}

impl Plugin {
    fn error(&self) -> String {
        // SAFETY: the plugin lives; what it gives is a string, or nothing.
        unsafe {
            match (self.api.plugin_error)(self.plugin) {
                error if error.is_null() => "no message".into(),
                error => CStr::from_ptr(error).to_string_lossy().into_owned(),
            }
        }
    }
}

impl Drop for Plugin {
    fn drop(&mut self) {
        // SAFETY: this is its end.
        unsafe { (self.api.plugin_free)(self.plugin) }
    }
}

impl Drop for Compiled {
    fn drop(&mut self) {
        // SAFETY: this is its end; plugins have what they need of it.
        unsafe { (self.api.compiled_plugin_free)(self.compiled) }
    }
}

/// Copies the bytes out, as the SDKs do to give them to a function of their language, and in again.
unsafe extern "C" fn host_reflect(
    plugin: *mut CurrentPlugin,
    inputs: *const Val,
    _: u64,
    outputs: *mut Val,
    _: u64,
    api: *mut c_void,
) {
    // SAFETY: the user data is the functions of the library, and the types say that there is one
    // value of each kind. A handle is an offset in the memory, of a block of that length. Its
    // address is asked for again after an allocation, which can move the memory.
    unsafe {
        let api = &*api.cast::<Api>();
        let handle = (*inputs).number as u64;
        let length = (api.current_plugin_memory_length)(plugin, handle);
        let block = (api.current_plugin_memory)(plugin).add(handle as usize);
        let bytes = (*slice_from_raw_parts(block, length as usize)).to_vec();
        let answer = (api.current_plugin_memory_alloc)(plugin, length);
        let block = (api.current_plugin_memory)(plugin).add(answer as usize);
        block.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        (*outputs).number = answer as i64;
    }
}

unsafe extern "C" fn tick(
    _: *mut CurrentPlugin,
    inputs: *const Val,
    _: u64,
    outputs: *mut Val,
    _: u64,
    _: *mut c_void,
) {
    // SAFETY: the types say that there is one value of each kind.
    unsafe { (*outputs).number = (*inputs).number + 1 }
}
