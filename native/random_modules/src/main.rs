//! Writes random valid modules, by wasm-smith, that import the kernel's functions and export
//! `run`: `random_modules DIRECTORY FIRST COUNT` writes `FIRST.wasm` and so many more. A number gives
//! the same module each time.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

use arbitrary::Unstructured;
use wasm_smith::{Config, Module};

const IMPORTS: &str = r#"(module
  (import "extism:host/env" "alloc" (func (param i64) (result i64)))
  (import "extism:host/env" "free" (func (param i64)))
  (import "extism:host/env" "length" (func (param i64) (result i64)))
  (import "extism:host/env" "load_u8" (func (param i64) (result i32)))
  (import "extism:host/env" "load_u64" (func (param i64) (result i64)))
  (import "extism:host/env" "store_u8" (func (param i64 i32)))
  (import "extism:host/env" "store_u64" (func (param i64 i64)))
  (import "extism:host/env" "input_length" (func (result i64)))
  (import "extism:host/env" "input_offset" (func (result i64)))
  (import "extism:host/env" "input_load_u8" (func (param i64) (result i32)))
  (import "extism:host/env" "input_load_u64" (func (param i64) (result i64)))
  (import "extism:host/env" "output_set" (func (param i64 i64)))
  (import "extism:host/env" "error_set" (func (param i64))))"#;

const EXPORTS: &str = r#"(module (func (export "run") (result i32) unreachable))"#;

/// Turns of loops and calls, after which a module traps.
const STEPS: u32 = 1_000;

/// Bytes that a module is made of.
const BYTES: usize = 6_000;

fn main() -> Result<(), Box<dyn Error>> {
    let [directory, first, count] = env::args()
        .skip(1)
        .collect::<Vec<_>>()
        .try_into()
        .map_err(|_| "usage: random_modules DIRECTORY FIRST COUNT")?;
    let (first, count): (u64, u64) = (first.parse()?, count.parse()?);
    let (imports, exports) = (wat::parse_str(IMPORTS)?, wat::parse_str(EXPORTS)?);
    fs::create_dir_all(&directory)?;
    for number in first..first + count {
        let config = config(number, imports.clone(), exports.clone());
        let bytes = bytes(number);
        let mut module = Module::new(config, &mut Unstructured::new(&bytes))?;
        module.ensure_termination(STEPS)?;
        fs::write(
            Path::new(&directory).join(format!("{number}.wasm")),
            module.to_bytes(),
        )?;
    }
    Ok(())
}

/// What differs from module to module beside the code: how many memories there are.
fn config(number: u64, imports: Vec<u8>, exports: Vec<u8>) -> Config {
    Config {
        available_imports: Some(imports),
        exports: Some(exports),
        min_imports: 1,
        max_imports: 30,
        max_memories: 1 + (number % 3) as usize,
        max_memory32_bytes: 4 << 16,
        max_memory64_bytes: 4 << 16,
        max_funcs: 12,
        max_instructions: 300,
        max_tables: 2,
        max_table_elements: 100,
        allow_start_export: false,
        gc_enabled: false,
        canonicalize_nans: true,
        threads_enabled: false,
        shared_everything_threads_enabled: false,
        custom_page_sizes_enabled: false,
        memory64_enabled: number.is_multiple_of(4),
        ..Config::default()
    }
}

/// Numbers without a pattern (SplitMix64), the same each time.
fn bytes(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x2545_F491_4F6C_DD1D);
    let mut bytes = Vec::with_capacity(BYTES + 8);
    while bytes.len() < BYTES {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bytes.extend_from_slice(&(word ^ (word >> 31)).to_le_bytes());
    }
    bytes
}
