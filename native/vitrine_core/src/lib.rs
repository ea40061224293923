//! The engine room of Vitrine: Extism plugins on Wasmtime, without the BEAM.
//!
//! A [`CompiledModule`] is shared by everything that runs it. A [`Plugin`] binds it to host
//! functions, configuration and limits, and owns at most one live instance. [`Plugin::start`]
//! makes a [`Call`], which the embedder drives by [`Call::resume`]: each time it comes back with
//! a [`Step`] that says what it needs next. Nothing here blocks, and nothing knows a term.

#![deny(unsafe_code)]
#![warn(missing_docs)]

mod compile;
mod error;
mod host;
mod instance;
mod link;
mod nearest;
mod plugin;
mod schedule;
mod text;
mod time_spent;
mod value;

pub use compile::cache::Cache;
pub use compile::compile;
pub use compile::compiled::CompiledModule;
pub use compile::engine::{Profiler, Settings, config};
pub use compile::exports::ExportKind;
pub use compile::options::{CompileOptions, MAX_MODULE_SIZE, Origin};
pub use error::{Error, Frame, Reason};
pub use host::extism::{Config, VarValue, Vars};
pub use host::fuel::FuelLimits;
pub use host::function::HostFunction;
pub use host::limits::Limits;
pub use host::plugin_state::{OnTrap, PluginOptions};
pub use host::protocol::{
    HttpRequest, HttpResponse, LARGE, LOG_OFF, LogLevel, Reply, Request, Stream,
};
pub use host::stats::Stats;
pub use host::wasi::{Directory, Output, Quota, Wasi};
pub use link::inspect::{Inspection, Producers, inspect};
pub use link::{Fault, Grants, LinkedPlugin, Modules, Planned, plan};
pub use plugin::call::{Call, Finished, Step};
pub use plugin::{CallOptions, Plugin};
pub use schedule::budget::Scheduler;
pub use schedule::reaper::Reaped;
pub use schedule::run_queue::{Counts, Invite, Permit, permits};
pub use schedule::waker::Notify;
pub use schedule::workers::submit;
pub use time_spent::{Awaited, Spent};
pub use value::{Value, ValueType};
pub use vitrine_rewrite::{Export, Extern, Import, ModuleType, Stage};
