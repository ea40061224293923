//! Host functions: what the embedder lends to a plugin.

use std::sync::Arc;

use wasmtime::{Caller, Engine, FuncType, Result, Val};

use crate::control::{LARGE, Reply, Request};
use crate::error::{Error, Reason, Stop};
use crate::kernel_memory as memory;
use crate::plugin::Shared;
use crate::state::HostState;
use crate::value::{Value, ValueType};

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

/// A host function as a module imports it.
pub(crate) struct Import {
    /// The index in the embedder's list.
    index: usize,
    name: String,
    params: Vec<ValueType>,
    results: Vec<ValueType>,
}

impl HostFunction {
    /// Checks the declaration against the type that the module wants.
    pub(crate) fn import(
        &self,
        engine: &Engine,
        index: usize,
        wanted: &FuncType,
    ) -> std::result::Result<Import, Error> {
        let name = format!("{}::{}", self.namespace, self.name);
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

/// Runs on the fiber: parks it while the embedder runs the function.
pub(crate) async fn invoke(
    mut caller: Caller<'_, HostState>,
    import: Arc<Import>,
    params: &[Val],
    results: &mut [Val],
) -> Result<()> {
    let shared = caller.data().shared.clone();
    let args = arguments(&mut caller, &shared, &import, params).await?;
    let request = Request::HostFunction {
        index: import.index,
        args,
        results: import.results.len(),
    };
    match shared.control.ask(request).await? {
        Reply::Values(values) => {
            for (result, value) in results.iter_mut().zip(values) {
                *result = write(&mut caller, value)?;
            }
        }
        Reply::Error(text) => {
            memory::set_error(&mut caller, &text)?;
            for (result, ty) in results.iter_mut().zip(&import.results) {
                *result = ty.zero();
            }
        }
        Reply::Failed | Reply::Http(_) | Reply::Timeout => {
            return Err(Stop::HostFunction(import.name.clone()).into());
        }
    }
    Ok(())
}

/// Copies of the arguments. Together they must not be larger than an output may be: one block can be many of
/// them.
async fn arguments(
    caller: &mut Caller<'_, HostState>,
    shared: &Shared,
    import: &Import,
    params: &[Val],
) -> Result<Vec<Value>> {
    let (mut args, mut bytes) = (Vec::with_capacity(params.len()), 0);
    for (at, (param, ty)) in params.iter().zip(&import.params).enumerate() {
        args.push(match (param, ty) {
            (Val::I64(handle), ValueType::Bytes) => {
                let what = || format!("argument {at} of {}", import.name);
                let block = memory::block(caller, *handle, what)?;
                bytes += block.len();
                import.check(bytes, shared.limits.output)?;
                if bytes > LARGE {
                    shared.control.on_dirty().await;
                }
                // The guest waits: it is there still.
                Value::Bytes(memory::bytes(caller, block).to_vec())
            }
            (Val::I32(v), _) => Value::I32(*v),
            (Val::I64(v), _) => Value::I64(*v),
            (Val::F32(bits), _) => Value::F32(f32::from_bits(*bits)),
            (Val::F64(bits), _) => Value::F64(f64::from_bits(*bits)),
            // Linking admits numbers alone.
            _ => return Err(Stop::Abi(format!("{} takes numbers only", import.name)).into()),
        });
    }
    Ok(args)
}

impl Import {
    fn check(&self, bytes: usize, limit: u64) -> Result<()> {
        if bytes as u64 <= limit {
            return Ok(());
        }
        let name = &self.name;
        Err(Stop::Abi(format!(
            "the arguments of {name} have more than {limit} bytes together, the limit, which is that of outputs"
        ))
        .into())
    }
}

fn write(caller: &mut Caller<'_, HostState>, value: Value) -> Result<Val> {
    Ok(match value {
        Value::I32(v) => Val::I32(v),
        Value::I64(v) => Val::I64(v),
        Value::F32(v) => Val::F32(v.to_bits()),
        Value::F64(v) => Val::F64(v.to_bits()),
        Value::Bytes(bytes) => Val::I64(memory::alloc(caller, &bytes)?),
    })
}
