//! Host functions: what the embedder lends to a plugin.

use wasmtime::{Engine, FuncType};

use crate::error::{Error, Reason};
use crate::host_import::Import;
use crate::text;
use crate::value::ValueType;

/// A host function as the embedder declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostFunction {
    /// The import's namespace, such as `extism:host/user`.
    pub namespace: String,
    /// The import's name.
    pub name: String,
    /// Parameters and results; without them, any function whose values are all handles of bytes.
    pub signature: Option<(Vec<ValueType>, Vec<ValueType>)>,
}

impl HostFunction {
    /// Checks the declaration against the type that the module wants.
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
