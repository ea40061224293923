//! Inspects a module: reads what it says of itself, without compiling or running any of it.

mod custom;

use std::panic::catch_unwind;

use sha2::{Digest, Sha256};
use vitrine_rewrite::ModuleType;
use wasmparser::{Encoding, Parser, Payload, Validator, WasmFeatures};

use crate::compile::binary::{binary, invalid};
use crate::error::Error;
use crate::link::{Fault, Grants, snapshot_fault, with_grants};
use crate::schedule::workers::submit;

/// The findings about an inspected module.
#[derive(Debug, Default)]
pub struct Inspection {
    /// The sha256 of the bytes or the text of the module.
    pub sha256: [u8; 32],
    /// Whether it is a component and not a module. If so, nothing else is known of it.
    pub component: bool,
    /// The module's own name, from the name section.
    pub name: Option<String>,
    /// The fields of the producers section.
    pub producers: Vec<Producers>,
    /// The declarations of the module.
    pub interface: ModuleType,
    /// Why linking would refuse the module with these grants, as far as that is known without compiling it.
    pub faults: Vec<Fault>,
}

/// A field of the producers section: its name, and names with versions.
pub type Producers = (String, Vec<(String, String)>);

/// The name under which the module is checked.
const MAIN: &str = "main";

/// Inspects `bytes`, which must be a valid module or its text. `done` gets the result, on a worker's thread.
pub fn inspect(
    bytes: Vec<u8>,
    grants: Grants,
    done: impl FnOnce(Result<Inspection, Error>) + Send + 'static,
) {
    submit(move || {
        let inspected = catch_unwind(|| look_into(&bytes, &grants));
        done(inspected.unwrap_or_else(|_| Err(invalid("the parser panicked on it"))));
    });
}

fn look_into(bytes: &[u8], grants: &Grants) -> Result<Inspection, Error> {
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
    vitrine_rewrite::compile_cost::check(&wasm, false)?;
    let mut inspection = Inspection {
        sha256,
        interface: ModuleType::read(&wasm).map_err(invalid)?,
        ..Inspection::default()
    };
    custom::read(&wasm, &mut inspection).map_err(invalid)?;
    let mut faults = with_grants(&[(MAIN, &inspection.interface)], 0, grants)?;
    if grants.snapshot {
        faults.extend(snapshot_fault(&wasm));
    }
    inspection.faults = faults;
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
    use vitrine_rewrite::Extern;

    use super::*;
    use crate::compile::engine::Settings;
    use crate::link::base::Base;

    fn of(text: &str) -> Inspection {
        of_bytes(text.as_bytes())
    }

    #[test]
    fn exports_have_the_types_of_the_items_that_they_name() {
        let found = of(r#"(module $own
          (type (struct)) (rec (type $a (func)) (type $b (func (param f32) (result i64))))
          (import "env" "f" (func $f (type $b)))
          (import "env" "m" (memory 1 2))
          (import "env" "t" (table 3 funcref))
          (import "env" "g" (global $g (mut i32)))
          (func $own (type $a)) (memory $m 4)
          (export "f" (func $f)) (export "own" (func $own)) (export "m" (memory $m))
          (export "g" (global $g)) (start $own))"#)
        .interface;
        let params = |at: usize| match found.exports[at].ty {
            Extern::Function(ty) => found.function(ty).unwrap().params().len(),
            other => panic!("{other:?}"),
        };
        assert_eq!((params(0), params(1)), (1, 0));
        assert!(matches!(found.exports[2].ty, Extern::Memory(m) if m.initial == 4));
        assert!(matches!(found.exports[3].ty, Extern::Global(g) if g.mutable));
        assert_eq!(found.memories.len(), 2);
        assert_eq!(found.memories[0].maximum, Some(2));
        assert_eq!(found.tables[0].initial, 3);
        assert_eq!(found.start, Some(1));
        assert_eq!(found.imports[0].namespace, "env");
    }

    #[test]
    fn an_invalid_module_is_refused_as_the_compiler_refuses_it() {
        let reason = |bytes: &[u8]| look_into(bytes, &Grants::default()).err().map(|e| e.reason);
        let compile = Some(crate::Reason::Compile);
        assert_eq!(reason(b""), compile);
        assert_eq!(reason(b"(module (func i32.const))"), compile);
        assert_eq!(reason(b"(module (func (result i32)))"), compile);
        assert_eq!(reason(b"\0asm\x01\0\0\0\x01"), compile);
        // Threads are a feature that the engine lacks.
        assert_eq!(reason(b"(module (memory 1 1 shared))"), compile);
    }

    #[test]
    fn the_name_of_a_module_is_read_from_its_name_section() {
        assert_eq!(of("(module $own)").name.as_deref(), Some("own"));
    }

    #[test]
    fn all_functions_of_the_abi_are_known_and_others_are_not() {
        let base = Base::get(Settings::default()).unwrap();
        let kernel = base.kernel.module.exports();
        let kernel = kernel.filter(|export| export.ty().func().is_some());
        let imports = kernel.map(|export| {
            let ty = export.ty();
            let ty = ty.unwrap_func();
            let names = |kind, types: Vec<wasmtime::ValType>| {
                types
                    .iter()
                    .map(|ty| format!("({kind} {ty})"))
                    .collect::<String>()
            };
            let (params, results) = (ty.params().collect(), ty.results().collect());
            let (params, results) = (names("param", params), names("result", results));
            let name = export.name();
            format!(
                r#"(import "extism:host/env" "{name}" (func {params} {results}))
                   (import "env" "extism_{name}" (func {params} {results}))"#
            )
        });
        let all = format!("(module {})", imports.collect::<String>());
        assert_eq!(of(&all).faults, []);
        let faults = |text: &str| of(text).faults.into_iter().map(|fault| fault.message);
        let unknown = r#"(module (import "extism:host/env" "nothing" (func))
            (import "env" "extism_lenght" (func)) (import "env" "other" (func)))"#;
        let told: Vec<_> = faults(unknown).collect();
        assert_eq!(
            told[..2],
            [
                "the import \"extism:host/env\".\"nothing\" is unknown; this version of the Extism ABI has no such \
                 function",
                "the import \"env\".\"extism_lenght\" is unknown; this version of the Extism ABI has no such \
                 function; did you mean \"extism_length\"?",
            ]
        );
        assert!(told[2].starts_with("the import \"env\".\"other\" is unknown"));
    }

    #[test]
    fn a_component_is_recognised() {
        assert!(of_bytes(b"\0asm\x0d\0\x01\0").component);
        assert!(look_into(b"\0asm\x0d\0\x01\0junk", &Grants::default()).is_err());
        assert!(!of("(module)").component);
    }

    fn of_bytes(bytes: &[u8]) -> Inspection {
        look_into(bytes, &Grants::default()).unwrap()
    }

    #[test]
    fn a_damaged_name_section_is_ignored() {
        let mut wasm = wat::parse_str("(module)").unwrap();
        wasm.extend_from_slice(b"\x00\x06\x04name\x7f");
        assert_eq!(of_bytes(&wasm).name, None);
    }
}
