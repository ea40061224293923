//! Takes snapshots. A worker reads the instance, and its answer is a message.

use std::sync::Arc;

use rustler::{Atom, Encoder, Env, Term};

use crate::plugin::PluginResource;
use crate::reply::Asker;
use crate::{atoms, bytes, error};

/// Answers `{:vitrine_reply, id, {:ok, module} | {:error, details}}`. The plugin has no instance afterwards.
#[rustler::nif]
fn plugin_snapshot(env: Env<'_>, plugin: &PluginResource, id: Term) -> Atom {
    let (asker, plugin) = (Asker::new(env, id), Arc::clone(&plugin.0));
    vitrine_core::submit(move || {
        let taken = plugin.take_snapshot();
        asker.answer(|env| match taken {
            Ok(module) => (atoms::ok(), bytes::give(env, module)).encode(env),
            Err(e) => error::encode(env, &e),
        });
    });
    atoms::ok()
}
