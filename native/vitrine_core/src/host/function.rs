//! Host functions as the embedder declares them.

use wasmtime::{Engine, FuncType};

use crate::error::{Error, Reason};
use crate::host::import::Import;
use crate::text;
use crate::value::ValueType;

/// A host function as the embedder declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostFunction {
    /// The import's namespace, such as `extism:host/user`.
    pub namespace: String,
    /// The import's name.
    pub name: String,
    /// Parameters and results. Without a signature, all parameters and results are bytes, in any number.
    pub signature: Option<(Vec<ValueType>, Vec<ValueType>)>,
}

impl HostFunction {
    /// The type that the guest must import the function as, given the type that it does import.
    pub(crate) fn plain_type(&self, wanted: Option<&wasmparser::FuncType>) -> wasmparser::FuncType {
        use wasmparser::ValType;
        let of = |ty: &ValueType| match ty {
            ValueType::I32 => ValType::I32,
            ValueType::I64 | ValueType::Bytes => ValType::I64,
            ValueType::F32 => ValType::F32,
            ValueType::F64 => ValType::F64,
        };
        match (&self.signature, wanted) {
            (Some((params, results)), _) => {
                wasmparser::FuncType::new(params.iter().map(of), results.iter().map(of))
            }
            (None, Some(wanted)) => {
                let handles = |values: &[ValType]| vec![ValType::I64; values.len()];
                wasmparser::FuncType::new(handles(wanted.params()), handles(wanted.results()))
            }
            (None, None) => wasmparser::FuncType::new([], []),
        }
    }

    /// The function as a module imports it, if the declaration fits the type that the module wants.
    pub(crate) fn import(
        &self,
        engine: &Engine,
        index: usize,
        wanted: &FuncType,
    ) -> std::result::Result<Import, Error> {
        let name = text::import(&self.namespace, &self.name);
        let (params, results) = match &self.signature {
            Some((params, results)) => (params.clone(), results.clone()),
            None => (
                vec![ValueType::Bytes; wanted.params().len()],
                vec![ValueType::Bytes; wanted.results().len()],
            ),
        };
        let declared = FuncType::new(
            engine,
            params.iter().map(|t| t.wasm()),
            results.iter().map(|t| t.wasm()),
        );
        if !FuncType::eq(&declared, wanted) {
            let hint = match self.signature {
                Some(_) => "",
                None => "; declare its types with Vitrine.HostFunction.new/5",
            };
            return Err(Error::new(
                Reason::Link,
                format!(
                    "the plugin imports {name} as {wanted}, the host function is {declared}{hint}"
                ),
            ));
        }
        Ok(Import {
            index,
            name,
            params,
            results,
        })
    }
}
