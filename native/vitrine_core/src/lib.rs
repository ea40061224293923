//! The engine room of Vitrine: Extism plugins on Wasmtime, without the BEAM.
//!
//! A [`Compiled`] module is shared by everything that runs it. A [`Plugin`] binds it to host
//! functions, configuration and limits, and owns at most one live instance. [`Plugin::start`]
//! makes a [`Call`], which the embedder drives by [`Call::resume`]: each time it comes back with
//! a [`Step`] that says what it needs next. Nothing here blocks, and nothing knows a term.

#![deny(unsafe_code)]
#![warn(missing_docs)]

mod abi;
mod admission;
mod backtrace;
mod cache;
mod call;
mod callable;
mod clock;
mod command;
mod compile;
mod compiled;
mod control;
mod coredump;
mod engine;
mod error;
mod exports;
mod fuel;
mod host_function;
mod host_import;
mod initialise;
mod inspection;
mod instance;
mod kernel_memory;
mod last_words;
mod limits;
mod lines;
mod link;
mod making;
mod nearest;
mod outcome;
mod overruns;
mod platform;
mod plugin;
mod reaper;
mod run_queue;
mod slice;
mod snapshot;
mod spent;
mod state;
mod stats;
mod text;
mod ticker;
mod trim;
mod value;
mod wake;
mod wasi;
mod workers;
mod world;

pub use abi::{Config, HttpRequest, HttpResponse, LOG_OFF, LogLevel, VarValue, Vars};
pub use cache::Cache;
pub use call::{Call, Finished, Step};
pub use compile::{CompileOptions, MAX_MODULE_SIZE, Origin, compile};
pub use compiled::Compiled;
pub use control::{LARGE, Reply, Request};
pub use engine::{Profiler, Settings, config};
pub use error::{Error, Frame, Reason};
pub use exports::ExportKind;
pub use fuel::FuelLimits;
pub use host_function::HostFunction;
pub use inspection::{Inspection, Producers, inspect};
pub use limits::Limits;
pub use link::{Fault, Grants, Links, Modules, Planned, plan};
pub use plugin::{CallOptions, OnTrap, Plugin, PluginOptions};
pub use reaper::Reaped;
pub use run_queue::{Counts, Invite, Permit, permits};
pub use slice::Slice;
pub use spent::{Awaited, Spent};
pub use stats::Stats;
pub use value::{Value, ValueType};
pub use vitrine_rewrite::{Export, Extern, Import, ModuleType, Stage};
pub use wake::Notify;
pub use wasi::{Directory, Output, Quota, Stream, Wasi};
pub use workers::submit;
