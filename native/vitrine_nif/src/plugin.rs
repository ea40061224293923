//! Plugins as resources.

use std::sync::Arc;

use rustler::{Atom, Binary, Encoder, Env, NifResult, Resource, ResourceArc, Term};
use vitrine_core::{ExportKind, Plugin};

use crate::compile::CompiledModule;
use crate::options::PluginTerm;
use crate::{atoms, error, reply};

pub struct PluginResource(pub Arc<Plugin>);

#[rustler::resource_impl]
impl Resource for PluginResource {}

/// Links a compiled module.
#[rustler::nif(schedule = "DirtyCpu")]
fn plugin_new<'a>(
    env: Env<'a>,
    compiled: ResourceArc<CompiledModule>,
    options: PluginTerm<'a>,
) -> NifResult<Term<'a>> {
    Ok(
        match Plugin::new(Arc::clone(&compiled.0), options.decode()?) {
            Ok(plugin) => (atoms::ok(), ResourceArc::new(PluginResource(plugin))).encode(env),
            Err(e) => error::encode(env, &e),
        },
    )
}

/// Whether there is a plugin function of this name: no parameters, no result or a return code.
#[rustler::nif]
fn plugin_function(plugin: ResourceArc<PluginResource>, name: Binary) -> bool {
    let name = std::str::from_utf8(name.as_slice()).ok();
    let kind = name.and_then(|name| plugin.0.compiled().export(name));
    matches!(kind, Some(ExportKind::Plain | ExportKind::Code))
}

/// Whether no call runs.
#[rustler::nif]
fn plugin_idle(plugin: ResourceArc<PluginResource>) -> bool {
    plugin.0.is_idle()
}

#[rustler::nif]
fn plugin_cancel(env: Env<'_>, plugin: ResourceArc<PluginResource>) -> Atom {
    reply::on_scheduler(env, || plugin.0.cancel());
    atoms::ok()
}

#[rustler::nif]
fn plugin_reset(env: Env<'_>, plugin: ResourceArc<PluginResource>) -> Term<'_> {
    match plugin.0.reset() {
        Ok(()) => atoms::ok().encode(env),
        Err(e) => error::encode(env, &e),
    }
}

#[rustler::nif]
fn plugin_close(env: Env<'_>, plugin: ResourceArc<PluginResource>) -> Atom {
    reply::on_scheduler(env, || plugin.0.close());
    atoms::ok()
}
