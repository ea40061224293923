//! What a module says of itself, without compiling it and without running any of it.

mod survey;

use std::panic::catch_unwind;

use sha2::{Digest, Sha256};
use wasmparser::{Encoding, FuncType, Parser, Payload, Validator, WasmFeatures};
use wasmtime::Module;

use crate::compile::{binary, invalid};
use crate::effort;
use crate::engine::Settings;
use crate::error::Error;
use crate::link::is_unknown;
use crate::platform::Platform;
use crate::workers::submit;

/// What is known of a module.
#[derive(Debug, Default)]
pub struct Inspection {
    /// The sha256 of the bytes, or of the text, that were given.
    pub sha256: [u8; 32],
    /// Whether it is a component and no module: then nothing else is known of it.
    pub component: bool,
    /// Its own name, of the name section.
    pub name: Option<String>,
    /// The fields of the producers section.
    pub producers: Vec<Producers>,
    /// The types of functions, which externs name by index. Other types are empty functions'.
    pub types: Vec<FuncType>,
    /// Namespace, name and type of what it imports.
    pub imports: Vec<(String, String, Extern)>,
    /// Namespace and name of imports from the ABI that it does not have.
    pub unknown: Vec<(String, String)>,
    /// Name and type of what it exports.
    pub exports: Vec<(String, Extern)>,
    /// Its memories, the imported ones first.
    pub memories: Vec<wasmparser::MemoryType>,
    /// Its tables, the imported ones first.
    pub tables: Vec<wasmparser::TableType>,
    /// The index of its start function.
    pub start: Option<u32>,
}

/// A field of the producers section: its name, and names with versions.
pub type Producers = (String, Vec<(String, String)>);

/// The type of an import or export.
#[derive(Debug, Clone, Copy)]
pub enum Extern {
    /// A function, with the index of its type in [`Inspection::types`].
    Function(u32),
    /// A memory.
    Memory(wasmparser::MemoryType),
    /// A table.
    Table(wasmparser::TableType),
    /// A global.
    Global(wasmparser::GlobalType),
    /// A tag of exceptions.
    Tag,
}

/// Looks into `bytes`, a module or its text, which must be valid, and gives what is there to `done`
/// on a worker's thread.
pub fn inspect(bytes: Vec<u8>, done: impl FnOnce(Result<Inspection, Error>) + Send + 'static) {
    submit(move || {
        let inspected = catch_unwind(|| look_into(&bytes));
        done(inspected.unwrap_or_else(|_| Err(invalid("the parser panicked on it"))));
    });
}

fn look_into(bytes: &[u8]) -> Result<Inspection, Error> {
    let sha256 = Sha256::digest(bytes).into();
    if is_component(bytes) {
        let mut validator = Validator::new_with_features(WasmFeatures::all());
        validator.validate_all(bytes).map_err(invalid)?;
        return Ok(Inspection {
            sha256,
            component: true,
            ..Inspection::default()
        });
    }
    let wasm = binary(bytes)?;
    effort::check(&wasm)?;
    let platform = Platform::get(Settings::default())?;
    Module::validate(&platform.engine, &wasm).map_err(|e| invalid(format!("{e:#}")))?;
    let mut inspection = survey::survey(&wasm).map_err(invalid)?;
    inspection.sha256 = sha256;
    let imports = inspection.imports.iter();
    let unknown = imports.filter(|(namespace, name, _)| is_unknown(platform, namespace, name));
    inspection.unknown = unknown
        .map(|(namespace, name, _)| (namespace.clone(), name.clone()))
        .collect();
    Ok(inspection)
}

fn is_component(bytes: &[u8]) -> bool {
    matches!(
        Parser::new(0).parse_all(bytes).next(),
        Some(Ok(Payload::Version {
            encoding: Encoding::Component,
            ..
        }))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Inspection {
        look_into(text.as_bytes()).unwrap()
    }

    #[test]
    fn exports_have_the_types_of_what_they_name_imported_or_not() {
        let found = of(r#"(module $own
          (type (struct)) (rec (type $a (func)) (type $b (func (param f32) (result i64))))
          (import "env" "f" (func $f (type $b)))
          (import "env" "m" (memory 1 2))
          (import "env" "t" (table 3 funcref))
          (import "env" "g" (global $g (mut i32)))
          (func $own (type $a)) (memory $m 4)
          (export "f" (func $f)) (export "own" (func $own)) (export "m" (memory $m))
          (export "g" (global $g)) (start $own))"#);
        let params = |at: usize| match found.exports[at].1 {
            Extern::Function(ty) => found.types[ty as usize].params().len(),
            other => panic!("{other:?}"),
        };
        assert_eq!((params(0), params(1)), (1, 0));
        assert!(matches!(found.exports[2].1, Extern::Memory(m) if m.initial == 4));
        assert!(matches!(found.exports[3].1, Extern::Global(g) if g.mutable));
        assert_eq!(found.memories.len(), 2);
        assert_eq!(found.memories[0].maximum, Some(2));
        assert_eq!(found.tables[0].initial, 3);
        assert_eq!(found.start, Some(1));
        assert_eq!(found.name.as_deref(), Some("own"));
        assert_eq!(found.imports[0].0, "env");
    }

    #[test]
    fn what_is_valid_is_what_can_be_compiled() {
        let reason = |bytes: &[u8]| look_into(bytes).err().map(|e| e.reason);
        let compile = Some(crate::Reason::Compile);
        assert_eq!(reason(b""), compile);
        assert_eq!(reason(b"(module (func i32.const))"), compile);
        assert_eq!(reason(b"(module (func (result i32)))"), compile);
        assert_eq!(reason(b"\0asm\x01\0\0\0\x01"), compile);
        // Threads are a feature that the engine lacks.
        assert_eq!(reason(b"(module (memory 1 1 shared))"), compile);
    }

    #[test]
    fn what_the_abi_lacks_is_unknown_and_what_it_has_is_not() {
        let imports = |names: &[&str]| -> String {
            let imports = names
                .iter()
                .map(|name| format!(r#"(import "extism:host/env" "{name}" (func))"#));
            format!("(module {})", imports.collect::<String>())
        };
        let platform = Platform::get(Settings::default()).unwrap();
        let kernel = platform.kernel.module.exports();
        let kernel = kernel.filter(|export| export.ty().func().is_some());
        let mut names: Vec<_> = kernel.map(|export| export.name()).collect();
        names.extend([
            "config_get",
            "var_get",
            "var_set",
            "get_log_level",
            "log_warn",
        ]);
        names.extend(["http_request", "http_status_code", "http_headers"]);
        assert_eq!(of(&imports(&names)).unknown, []);
        assert_eq!(of(&imports(&["nothing"])).unknown.len(), 1);
        let old =
            r#"(module (import "env" "extism_nothing" (func)) (import "env" "other" (func)))"#;
        let unknown = of(old).unknown;
        assert_eq!(unknown, [("env".to_string(), "extism_nothing".to_string())]);
    }

    #[test]
    fn a_component_is_told_from_a_module() {
        assert!(of_bytes(b"\0asm\x0d\0\x01\0").component);
        assert!(look_into(b"\0asm\x0d\0\x01\0junk").is_err());
        assert!(!of("(module)").component);
    }

    fn of_bytes(bytes: &[u8]) -> Inspection {
        look_into(bytes).unwrap()
    }

    #[test]
    fn a_name_section_that_is_damaged_is_none() {
        let mut wasm = wat::parse_str("(module)").unwrap();
        wasm.extend_from_slice(b"\x00\x06\x04name\x7f");
        assert_eq!(of_bytes(&wasm).name, None);
    }
}
