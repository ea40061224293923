//! Compiles modules. A worker does the work, and its answer is a message.

use std::sync::Arc;

use rustler::{Atom, Binary, Encoder, Env, NifResult, Resource, ResourceArc, Term};
use vitrine_core::{CompiledModule, Origin, Reaped};

use crate::options::{self, CompileTerm};
use crate::reply::Asker;
use crate::{atoms, bytes, error};

pub struct CompiledResource(pub Reaped<Arc<CompiledModule>>);

#[rustler::resource_impl]
impl Resource for CompiledResource {}

/// Answers `{:vitrine_reply, id, {:ok, {compiled, from}} | {:error, details}}`, where `from` is
/// `:memory`, `:disk` or `:compiler`.
#[rustler::nif(schedule = "DirtyCpu")]
fn compile(env: Env<'_>, bytes: Binary, options: CompileTerm, id: Term) -> NifResult<Atom> {
    let (asker, (options, cache)) = (Asker::new(env, id), options.decode()?);
    vitrine_core::compile(bytes.as_slice().to_vec(), options, cache, move |outcome| {
        asker.answer(|env| match outcome {
            Ok((compiled, origin)) => {
                let compiled = ResourceArc::new(CompiledResource(Reaped::new(compiled)));
                (atoms::ok(), (compiled, from(origin))).encode(env)
            }
            Err(e) => error::encode(env, &e),
        });
    });
    Ok(atoms::ok())
}

fn from(origin: Origin) -> Atom {
    match origin {
        Origin::Memory => atoms::memory(),
        Origin::Disk => atoms::disk(),
        Origin::Compiler => atoms::compiler(),
    }
}

/// The reason why a cache, `{directory, max_bytes}`, is not to be trusted, or `nil`.
#[rustler::nif(schedule = "DirtyIo")]
fn cache_fault(cache: (String, u64)) -> Option<String> {
    options::cache(cache).fault()
}

/// The sha256 of the bytes that were compiled, in lower-case hexadecimal digits.
#[rustler::nif]
fn compiled_hash(compiled: &CompiledResource) -> String {
    bytes::hex(compiled.0.sha256())
}
