//! Converts bytes of the core to binaries. Small ones are copied; a large one is handed over without a copy.

use std::sync::Arc;

use rustler::{Env, NewBinary, Resource, ResourceArc, Term};
use vitrine_core::LARGE;

struct BytesResource(Arc<Vec<u8>>);

#[rustler::resource_impl]
impl Resource for BytesResource {}

/// A binary with a copy of `bytes`.
pub fn copy<'a>(env: Env<'a>, bytes: &[u8]) -> Term<'a> {
    let mut binary = NewBinary::new(env, bytes.len());
    binary.as_mut_slice().copy_from_slice(bytes);
    binary.into()
}

/// A binary with these bytes, which are not copied if they are many.
pub fn give<'a>(env: Env<'a>, bytes: Vec<u8>) -> Term<'a> {
    if bytes.len() <= LARGE {
        return copy(env, &bytes);
    }
    share(env, Arc::new(bytes))
}

/// A binary with these bytes, which may have other owners, too. They are not copied if they are many.
pub fn share<'a>(env: Env<'a>, bytes: Arc<Vec<u8>>) -> Term<'a> {
    if bytes.len() <= LARGE {
        return copy(env, &bytes);
    }
    ResourceArc::new(BytesResource(bytes))
        .make_binary(env, |bytes| &bytes.0)
        .to_term(env)
}

/// Lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
