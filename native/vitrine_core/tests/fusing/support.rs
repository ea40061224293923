//! Runs a plugin fused and unfused, side by side.

use std::sync::Arc;

use vitrine_core::{
    Call, CompileOptions, Error, FuelLimits, HostFunction, LinkedPlugin, Plugin, PluginOptions,
    Reason, Reply, Request, Settings, Value,
};

use vitrine_test_support::finish_with;
pub use vitrine_test_support::{OPTIONS, compiled};

/// The functions of the kernel that move bytes, and those that are needed to see the bytes.
pub const IMPORTS: &str = r#"
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "free" (func $free (param i64)))
  (import "extism:host/env" "reset" (func $reset))
  (import "extism:host/env" "load_u8" (func $load_u8 (param i64) (result i32)))
  (import "extism:host/env" "load_u64" (func $load_u64 (param i64) (result i64)))
  (import "extism:host/env" "store_u8" (func $store_u8 (param i64 i32)))
  (import "extism:host/env" "store_u64" (func $store_u64 (param i64 i64)))
  (import "extism:host/env" "input_length" (func $input_length (result i64)))
  (import "extism:host/env" "input_offset" (func $input_offset (result i64)))
  (import "extism:host/env" "input_set" (func $input_set (param i64 i64)))
  (import "extism:host/env" "input_load_u8" (func $input_load_u8 (param i64) (result i32)))
  (import "extism:host/env" "input_load_u64" (func $input_load_u64 (param i64) (result i64)))
  (import "extism:host/env" "output_set" (func $output_set (param i64 i64)))
  (import "extism:host/env" "memory_bytes" (func $memory_bytes (result i64)))"#;

/// Runs a call to its end. Host functions answer 7.
pub fn finish(call: Call) -> Result<Vec<u8>, Error> {
    finish_with(call, |request| match request {
        Request::HostFunction { .. } => Reply::Values(vec![Value::I64(7)]),
        other => panic!("{other:?}"),
    })
}

/// The parts of an error that must be the same. Offsets into code differ.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    pub reason: Reason,
    pub message: String,
    pub code: Option<i32>,
    pub trap: Option<String>,
    /// The indices of the functions that were active.
    pub functions: Vec<u32>,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure {
            reason: error.reason,
            message: error.message,
            code: error.code,
            trap: error.trap,
            functions: error.backtrace.iter().map(|frame| frame.index).collect(),
        }
    }
}

/// A plugin, unfused and fused.
pub struct Both([Arc<Plugin>; 2]);

impl Both {
    /// Links modules, of which the first is the main one.
    pub fn link(
        modules: &[(&str, &str)],
        functions: &[HostFunction],
        options: &PluginOptions,
    ) -> Result<Both, Error> {
        let make = |fuse| {
            let settings = Settings {
                fuel: options.fuel.is_some(),
                ..Settings::default()
            };
            let mut linked = Vec::new();
            for (index, (name, text)) in modules.iter().enumerate() {
                let options = CompileOptions {
                    settings,
                    library: index > 0,
                    fuse,
                    ..CompileOptions::default()
                };
                let module = compiled(text.as_bytes(), options)?;
                assert!(fuse || !module.is_fused());
                linked.push((name.to_string(), module));
            }
            let linked = LinkedPlugin::new(&linked, 0, functions, options.wasi.is_some())?;
            let plugin = Plugin::new(linked, options.clone())?;
            finish(plugin.initialise(OPTIONS)?)?;
            Ok::<_, Error>(plugin)
        };
        Ok(Both([make(false)?, make(true)?]))
    }

    /// A plugin of one module, which is fused.
    pub fn new(text: &str) -> Both {
        let both = Both::link(&[("main", text)], &[], &PluginOptions::default()).unwrap();
        assert!(both.0[1].main().is_fused());
        both
    }

    pub fn with_fuel(text: &str, call: u64) -> Both {
        let options = PluginOptions {
            fuel: Some(FuelLimits {
                call,
                initialisation: call,
            }),
            ..PluginOptions::default()
        };
        Both::link(&[("main", text)], &[], &options).unwrap()
    }

    /// Calls both, which must give the same result.
    pub fn call(&self, function: &str, input: &[u8]) -> Result<Vec<u8>, Failure> {
        let [unfused, fused] = self.each(function, input);
        // `assert_eq!` would print the output, which may have megabytes.
        let same = unfused == fused;
        let short = |result: &Result<Vec<u8>, Failure>| match result {
            Ok(output) => format!(
                "{} bytes {:?}",
                output.len(),
                &output[..output.len().min(64)]
            ),
            Err(failure) => format!("{failure:?}"),
        };
        let (unfused, fused) = (short(&unfused), (short(&fused), fused));
        assert!(same, "{function}: {unfused} unfused, {} fused", fused.0);
        fused.1
    }

    /// Calls both.
    pub fn each(&self, function: &str, input: &[u8]) -> [Result<Vec<u8>, Failure>; 2] {
        [0, 1].map(|which| {
            let call = self.0[which].start(function, input, OPTIONS);
            call.and_then(finish).map_err(Failure::from)
        })
    }

    /// The unfused one and the fused one.
    pub fn plugins(&self) -> &[Arc<Plugin>; 2] {
        &self.0
    }

    pub fn fuel_used(&self) -> [u64; 2] {
        [0, 1].map(|which| self.0[which].fuel_used())
    }
}

/// Numbers as the guests here take them.
pub fn words(numbers: &[u64]) -> Vec<u8> {
    numbers.iter().flat_map(|n| n.to_le_bytes()).collect()
}

/// The first number of an output.
pub fn word(output: &[u8]) -> u64 {
    u64::from_le_bytes(output[..8].try_into().unwrap())
}
