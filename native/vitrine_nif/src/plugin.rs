//! Makes plugins and reads and changes their state.

use std::sync::Arc;

use rustler::{
    Atom, Binary, Encoder, Env, LocalPid, Monitor, NifResult, Resource, ResourceArc, Term,
};
use vitrine_core::{Error, ExportKind, Plugin};

use crate::link::LinkedResource;
use crate::listing::Listed;
use crate::options::PluginTerm;
use crate::stats::StatsTerm;
use crate::{atoms, bytes, error, reply};

pub struct PluginResource(pub Arc<Plugin>, pub Listed<Plugin>);

#[rustler::resource_impl]
impl Resource for PluginResource {
    /// Closes the plugin: the process that it was tied to is gone.
    fn down<'a>(&'a self, env: Env<'a>, _process: LocalPid, _monitor: Monitor) {
        reply::on_scheduler(env, || self.0.close());
    }
}

/// Makes a plugin of linked modules.
#[rustler::nif]
fn plugin_new<'a>(
    env: Env<'a>,
    links: &LinkedResource,
    options: PluginTerm<'a>,
) -> NifResult<Term<'a>> {
    new(env, links, options)
}

/// Like `plugin_new`, for options that take long to copy.
#[rustler::nif(schedule = "DirtyCpu")]
fn plugin_new_dirty<'a>(
    env: Env<'a>,
    links: &LinkedResource,
    options: PluginTerm<'a>,
) -> NifResult<Term<'a>> {
    new(env, links, options)
}

fn new<'a>(env: Env<'a>, links: &LinkedResource, options: PluginTerm<'a>) -> NifResult<Term<'a>> {
    Ok(match Plugin::new(Arc::clone(&links.0), options.decode()?) {
        Ok(plugin) => (
            atoms::ok(),
            ResourceArc::new(PluginResource(plugin, Listed::new())),
        )
            .encode(env),
        Err(e) => error::encode(env, &e),
    })
}

/// Ties the plugin to the process that calls this: when the process ends, for whatever reason, the plugin is closed. It is for
/// a plugin that other processes call.
#[rustler::nif]
fn plugin_tie(env: Env<'_>, plugin: ResourceArc<PluginResource>) -> bool {
    plugin.1.hand_over(env.pid());
    plugin.monitor(Some(env), &env.pid()).is_some()
}

/// The variables: a map of binaries.
#[rustler::nif(schedule = "DirtyCpu")]
fn plugin_vars<'a>(env: Env<'a>, plugin: &PluginResource) -> NifResult<Term<'a>> {
    let vars = plugin.0.vars().into_iter();
    let pairs: Vec<_> = vars
        .map(|(key, value)| ((*key).encode(env), bytes::share(env, value)))
        .collect();
    Term::map_from_pairs(env, &pairs)
}

/// A number that changes whenever the variables change.
#[rustler::nif]
fn plugin_vars_version(plugin: &PluginResource) -> u64 {
    plugin.0.vars_version()
}

#[rustler::nif]
fn plugin_stats<'a>(env: Env<'a>, plugin: &PluginResource) -> Term<'a> {
    StatsTerm::new(env, plugin.0.stats()).encode(env)
}

/// Replaces the variables by `{name, value}` pairs.
#[rustler::nif(schedule = "DirtyCpu")]
fn plugin_put_vars<'a>(
    env: Env<'a>,
    plugin: &PluginResource,
    vars: Vec<(String, Binary<'a>)>,
) -> Term<'a> {
    let vars = vars.into_iter();
    let vars = vars.map(|(key, value)| (key, value.as_slice().to_vec()));
    done(env, plugin.0.put_vars(vars.collect()))
}

/// Changes the configuration by `{key, value | nil}` pairs, where `nil` deletes.
#[rustler::nif(schedule = "DirtyCpu")]
fn plugin_put_config<'a>(
    env: Env<'a>,
    plugin: &PluginResource,
    changes: Vec<(String, Option<String>)>,
) -> Term<'a> {
    done(env, plugin.0.put_config(changes))
}

/// `:ok` or an error.
fn done<'a>(env: Env<'a>, result: Result<(), Error>) -> Term<'a> {
    match result {
        Ok(()) => atoms::ok().encode(env),
        Err(e) => error::encode(env, &e),
    }
}

/// Takes the output that was captured since the last time, `{stdout, stderr}`.
#[rustler::nif(schedule = "DirtyCpu")]
fn plugin_take_printed<'a>(env: Env<'a>, plugin: &PluginResource) -> Term<'a> {
    let [stdout, stderr] = plugin.0.take_printed();
    (bytes::give(env, stdout), bytes::give(env, stderr)).encode(env)
}

#[rustler::nif]
fn plugin_fuel_used(plugin: &PluginResource) -> u64 {
    plugin.0.fuel_used()
}

/// Whether there is a plugin function of this name: one without parameters, and with no result or a return code.
#[rustler::nif]
fn plugin_function(plugin: &PluginResource, name: Binary) -> bool {
    let name = std::str::from_utf8(name.as_slice()).ok();
    let kind = name.and_then(|name| plugin.0.main().export(name));
    kind.is_some_and(ExportKind::is_callable)
}

/// The names of all plugin functions.
#[rustler::nif(schedule = "DirtyCpu")]
fn plugin_functions<'a>(env: Env<'a>, plugin: &PluginResource) -> Term<'a> {
    let functions = plugin.0.main().functions();
    functions.encode(env)
}

/// Whether no call is running.
#[rustler::nif]
fn plugin_idle(plugin: &PluginResource) -> bool {
    plugin.0.is_idle()
}

#[rustler::nif]
fn plugin_cancel(env: Env<'_>, plugin: &PluginResource) -> Atom {
    reply::on_scheduler(env, || plugin.0.cancel());
    atoms::ok()
}

#[rustler::nif]
fn plugin_reset<'a>(env: Env<'a>, plugin: &PluginResource) -> Term<'a> {
    done(env, plugin.0.reset())
}

#[rustler::nif]
fn plugin_close(env: Env<'_>, plugin: &PluginResource) -> Atom {
    reply::on_scheduler(env, || plugin.0.close());
    atoms::ok()
}
