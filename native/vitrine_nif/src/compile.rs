//! Compiling: the work is a worker's, the answer a message.

use std::sync::Arc;

use rustler::{Atom, Binary, Encoder, Env, NifResult, Resource, ResourceArc};
use vitrine_core::{Compiled, Reaped};

use crate::options::CompileTerm;
use crate::{atoms, error, reply};

pub struct CompiledModule(pub Reaped<Arc<Compiled>>);

#[rustler::resource_impl]
impl Resource for CompiledModule {}

/// Answers `{:vitrine_reply, id, {:ok, compiled} | {:error, details}}`.
#[rustler::nif(schedule = "DirtyCpu")]
fn compile(env: Env<'_>, bytes: Binary, options: CompileTerm, id: u64) -> NifResult<Atom> {
    let (to, options) = (env.pid(), options.decode()?);
    vitrine_core::compile(bytes.as_slice().to_vec(), options, move |outcome| {
        reply::send(&to, id, |env| match outcome {
            Ok(compiled) => (
                atoms::ok(),
                ResourceArc::new(CompiledModule(Reaped::new(compiled))),
            )
                .encode(env),
            Err(e) => error::encode(env, &e),
        });
    });
    Ok(atoms::ok())
}

/// The sha256 of the bytes that were compiled, in lower-case hexadecimal digits.
#[rustler::nif]
fn compiled_hash(compiled: ResourceArc<CompiledModule>) -> String {
    compiled
        .0
        .sha256()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Whether the module may log.
#[rustler::nif]
fn compiled_logs(compiled: ResourceArc<CompiledModule>) -> bool {
    compiled.0.logs()
}
