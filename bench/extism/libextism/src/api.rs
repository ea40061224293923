//! The part of libextism's C API that is used, as its `extism.h` declares it.

use std::ffi::{c_char, c_void};
use std::path::Path;

use anyhow::{Context, Result};
use libloading::Library;

#[repr(C)]
pub struct Function([u8; 0]);
#[repr(C)]
pub struct Compiled([u8; 0]);
#[repr(C)]
pub struct Plugin([u8; 0]);
#[repr(C)]
pub struct CurrentPlugin([u8; 0]);

/// `ExtismValType_I64`.
pub const I64: i32 = 1;

/// An `ExtismVal`, of type [`I64`]: the header has a union, of which only that is used here.
#[repr(C)]
pub struct Val {
    pub ty: i32,
    pub number: i64,
}

pub type Callback = unsafe extern "C" fn(
    plugin: *mut CurrentPlugin,
    inputs: *const Val,
    input_count: u64,
    outputs: *mut Val,
    output_count: u64,
    user_data: *mut c_void,
);

/// Declares the functions, and loads them by these names.
macro_rules! api {
    ($($name:ident: fn($($arg:ident: $ty:ty),*) $(-> $result:ty)?;)*) => {
        /// The functions of the library.
        pub struct Api {
            $(pub $name: unsafe extern "C" fn($($arg: $ty),*) $(-> $result)?,)*
            /// They are in it.
            _library: Library,
        }

        impl Api {
            /// Loads the library.
            pub fn load(path: &Path) -> Result<Api> {
                // SAFETY: what runs when libextism is loaded are the initialisers of Rust's
                // standard library. That it is libextism is for who names it to know.
                let library = unsafe { Library::new(path) };
                let library = library.with_context(|| format!("cannot load {}", path.display()))?;
                $(
                    let $name = {
                        type Signature = unsafe extern "C" fn($($arg: $ty),*) $(-> $result)?;
                        // SAFETY: the type is that of the function of this name in extism.h.
                        unsafe { *library.get::<Signature>(concat!("extism_", stringify!($name)))? }
                    };
                )*
                Ok(Api { $($name,)* _library: library })
            }
        }
    };
}

api! {
    version: fn() -> *const c_char;
    function_new: fn(
        name: *const c_char,
        inputs: *const i32,
        input_count: u64,
        outputs: *const i32,
        output_count: u64,
        function: Callback,
        user_data: *mut c_void,
        free_user_data: Option<unsafe extern "C" fn(user_data: *mut c_void)>
    ) -> *mut Function;
    function_free: fn(function: *mut Function);
    compiled_plugin_new: fn(
        wasm: *const u8,
        wasm_size: u64,
        functions: *const *const Function,
        function_count: u64,
        with_wasi: bool,
        error: *mut *mut c_char
    ) -> *mut Compiled;
    compiled_plugin_free: fn(compiled: *mut Compiled);
    plugin_new_from_compiled: fn(compiled: *const Compiled, error: *mut *mut c_char) -> *mut Plugin;
    plugin_new_error_free: fn(error: *mut c_char);
    plugin_free: fn(plugin: *mut Plugin);
    plugin_call: fn(plugin: *mut Plugin, function: *const c_char, data: *const u8, size: u64) -> i32;
    plugin_error: fn(plugin: *mut Plugin) -> *const c_char;
    plugin_output_length: fn(plugin: *mut Plugin) -> u64;
    plugin_output_data: fn(plugin: *mut Plugin) -> *const u8;
    current_plugin_memory: fn(plugin: *mut CurrentPlugin) -> *mut u8;
    current_plugin_memory_length: fn(plugin: *mut CurrentPlugin, handle: u64) -> u64;
    current_plugin_memory_alloc: fn(plugin: *mut CurrentPlugin, size: u64) -> u64;
}
