//! Host functions as a module imports them, and their calls on the guest's side.

use std::sync::Arc;

use wasmtime::{Caller, FuncType, Linker, Result, Val};

use crate::error::Stop;
use crate::host::HostView;
use crate::host::kernel_memory as memory;
use crate::host::plugin_state::PluginState;
use crate::host::protocol::{LARGE, Reply, Request};
use crate::value::{Value, ValueType};

/// A host function as a module imports it.
pub(crate) struct Import {
    /// The index in the embedder's list.
    pub(crate) index: usize,
    pub(crate) name: String,
    pub(crate) params: Vec<ValueType>,
    pub(crate) results: Vec<ValueType>,
}

impl Import {
    /// Defines the function in `linker`, with the type that was checked.
    pub(crate) fn define<T: HostView>(
        self,
        linker: &mut Linker<T>,
        namespace: &str,
        name: &str,
        ty: FuncType,
    ) -> Result<()> {
        let import = Arc::new(self);
        if import.is_plain() {
            linker.func_wrap_async(
                namespace,
                name,
                move |caller: Caller<'_, T>, (param,): (i64,)| {
                    let import = import.clone();
                    Box::new(async move {
                        let mut results = [Val::I64(0)];
                        invoke(caller, &import, &[Val::I64(param)], &mut results).await?;
                        results[0].i64().ok_or_else(|| import.mistyped())
                    })
                },
            )?;
        } else {
            linker.func_new_async(namespace, name, ty, move |caller, params, results| {
                let import = import.clone();
                Box::new(async move { invoke(caller, &import, params, results).await })
            })?;
        }
        Ok(())
    }

    /// Whether the function takes one block and returns one, as most do. Wasmtime calls a function at less cost if its type is
    /// known in advance.
    fn is_plain(&self) -> bool {
        self.params == [ValueType::Bytes] && self.results == [ValueType::Bytes]
    }

    /// Whether these values can be the results. A block that is in the guest's memory already may be given by its handle.
    fn fits(&self, values: &[Value]) -> bool {
        let fits = |(value, ty): (&Value, &ValueType)| {
            value.ty() == *ty || matches!((value, ty), (Value::I64(_), ValueType::Bytes))
        };
        values.len() == self.results.len() && values.iter().zip(&self.results).all(fits)
    }

    fn check(&self, bytes: usize, limit: u64) -> Result<()> {
        if bytes as u64 <= limit {
            return Ok(());
        }
        let name = &self.name;
        Err(Stop::Abi(format!(
            "the arguments of the host function {name} have {bytes} bytes together; the limit is that of outputs, {limit} \
             bytes (limits: [output_bytes: {limit}])"
        ))
        .into())
    }

    fn mistyped(&self) -> wasmtime::Error {
        let message = format!(
            "the host function {} was answered with values of other types",
            self.name
        );
        Stop::Abi(message).into()
    }
}

/// Runs on the fiber: parks it while the embedder runs the function.
async fn invoke<T: HostView>(
    mut caller: Caller<'_, T>,
    import: &Import,
    params: &[Val],
    results: &mut [Val],
) -> Result<()> {
    let plugin = caller.data().host().plugin.clone();
    let args = arguments(&mut caller, &plugin, import, params).await?;
    let request = Request::HostFunction {
        index: import.index,
        args,
        results: import.results.len(),
    };
    match plugin.control.ask(request).await? {
        Reply::Values(values) => {
            if !import.fits(&values) {
                return Err(import.mistyped());
            }
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

/// Copies of the arguments. Together they must not be larger than an output may be, because the same block can be passed many
/// times.
async fn arguments<T: HostView>(
    caller: &mut Caller<'_, T>,
    plugin: &PluginState,
    import: &Import,
    params: &[Val],
) -> Result<Vec<Value>> {
    let (mut args, mut bytes) = (Vec::with_capacity(params.len()), 0);
    for (at, (param, ty)) in params.iter().zip(&import.params).enumerate() {
        args.push(match (param, ty) {
            (Val::I64(handle), ValueType::Bytes) => {
                let what = || format!("parameter {} of the host function {}", at + 1, import.name);
                let block = memory::block(caller, *handle, what).map_err(advised)?;
                bytes += block.len();
                import.check(bytes, plugin.limits.output)?;
                if bytes > LARGE {
                    plugin.control.on_dirty().await;
                }
                // The guest waits, so the block is still there.
                Value::Bytes(memory::bytes(caller, block).to_vec())
            }
            (Val::I32(v), _) => Value::I32(*v),
            (Val::I64(v), _) => Value::I64(*v),
            (Val::F32(bits), _) => Value::F32(f32::from_bits(*bits)),
            (Val::F64(bits), _) => Value::F64(f64::from_bits(*bits)),
            // Linking admits only numbers.
            _ => {
                return Err(Stop::Abi(format!(
                    "the host function {} takes numbers only",
                    import.name
                ))
                .into());
            }
        });
    }
    Ok(args)
}

/// Adds advice to the error of an invalid handle, which may be a number that was not declared as one.
fn advised(error: wasmtime::Error) -> wasmtime::Error {
    match error.downcast() {
        Ok(Stop::Abi(message)) => Stop::Abi(format!(
            "{message}; bytes are passed by handles, and a number is declared as one by Vitrine.HostFunction.new/5"
        ))
        .into(),
        Ok(other) => other.into(),
        Err(error) => error,
    }
}

fn write<T: HostView>(caller: &mut Caller<'_, T>, value: Value) -> Result<Val> {
    Ok(match value {
        Value::I32(v) => Val::I32(v),
        Value::I64(v) => Val::I64(v),
        Value::F32(v) => Val::F32(v.to_bits()),
        Value::F64(v) => Val::F64(v.to_bits()),
        Value::Bytes(bytes) => Val::I64(memory::alloc(caller, &bytes)?),
    })
}
