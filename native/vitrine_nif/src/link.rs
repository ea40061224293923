//! Links modules. Any number of plugins is made from the resource.

use std::sync::Arc;

use rustler::{Encoder, Env, Error, NifResult, Resource, ResourceArc, Term};
use vitrine_core::{LinkedPlugin, Reaped};

use crate::compile::CompiledResource;
use crate::listing::Listed;
use crate::options::LinkTerm;
use crate::{atoms, error};

pub struct LinkedResource(pub Reaped<Arc<LinkedPlugin>>, pub Listed<LinkedPlugin>);

#[rustler::resource_impl]
impl Resource for LinkedResource {}

/// Links compiled modules, `{name, compiled}` each. The module at `main` is the one that is called.
#[rustler::nif(schedule = "DirtyCpu")]
fn link<'a>(
    env: Env<'a>,
    modules: Vec<(String, &CompiledResource)>,
    main: usize,
    options: LinkTerm<'a>,
) -> NifResult<Term<'a>> {
    if main >= modules.len() {
        return Err(Error::BadArg);
    }
    let modules = modules.into_iter();
    let modules: Vec<_> = modules
        .map(|(name, compiled)| (name, Arc::clone(&compiled.0)))
        .collect();
    let grants = options.decode()?;
    Ok(
        match LinkedPlugin::new(&modules, main, &grants.functions, grants.wasi) {
            Ok(links) => (
                atoms::ok(),
                ResourceArc::new(LinkedResource(Reaped::new(links), Listed::new())),
            )
                .encode(env),
            Err(e) => error::encode(env, &e),
        },
    )
}
