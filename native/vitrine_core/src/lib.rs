//! The machine of Vitrine: it runs Extism plugins on Wasmtime, without the BEAM.
//!
//! # Crates
//!
//! Each crate imports only crates above it in this list.
//!
//! * `vitrine_kernel` is the kernel of the Extism ABI. It runs as WebAssembly and natively.
//! * `vitrine_html` makes the HTML of plugins safe. The core does not use it.
//! * `vitrine_memory` has linear memories and stacks of fibers for Wasmtime. Nearly all `unsafe` code is there.
//! * `vitrine_rewrite` turns WebAssembly into WebAssembly: it checks what a module costs to compile, makes long instructions
//!   interruptible, and writes snapshots. It does not know Wasmtime.
//! * `vitrine_core` is this crate. It knows nothing of terms or processes.
//! * `vitrine_nif` turns terms into calls of this crate, and its answers into terms.
//!
//! # Folders
//!
//! The folders of this crate are layers: each imports only from those before it in this list, and `tests/layers.rs` checks that.
//! Read in this order, they explain the machine.
//!
//! 1. The files of the root are values that all folders use: errors, values of host functions, texts that a guest chose.
//! 2. `schedule` decides when guest code runs, and on which thread.
//! 3. `host` is what a guest can ask for: the Extism ABI, host functions, WASI, and the kernel's memory.
//! 4. `compile` turns bytes into native code. It does not know `host`.
//! 5. `link` finds out where each import of a module comes from.
//! 6. `instance` makes a store with everything in it, and drops it.
//! 7. `plugin` is what the embedder holds: a plugin, and its calls.
//!
//! # The way of a call
//!
//! [`compile()`] makes a [`CompiledModule`], which everything that runs it shares. [`LinkedPlugin::new`] links modules with each
//! other and with host functions. A [`Plugin`] adds configuration and limits, and owns at most one live instance.
//!
//! [`Plugin::start`] makes a [`Call`]. The embedder drives it by [`Call::resume`], which runs one slice of guest code and
//! answers with a [`Step`]:
//!
//! * The slice is over, because its budget is used up or because the next step needs a dirty scheduler. The embedder resumes
//!   the call on a dirty scheduler, for which it needs a [`Permit`].
//! * The guest is parked with a [`Request`], such as a call of a host function. The embedder does it and resumes with a
//!   [`Reply`].
//! * The guest waits for time or for a file. The embedder resumes the call when it is notified.
//! * The call has ended, with an output or an [`Error`].
//!
//! The first slice of a call makes the instance if there is none. Nothing in this crate blocks the thread that resumes a call.

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
pub use plugin::call::{Call, Step};
pub use plugin::finished::Finished;
pub use plugin::{CallOptions, Plugin};
pub use schedule::budget::Scheduler;
pub use schedule::reaper::Reaped;
pub use schedule::run_queue::{Counts, Invite, Permit, permits};
pub use schedule::waker::Notify;
pub use schedule::workers::submit;
pub use time_spent::{Awaited, Spent};
pub use value::{Value, ValueType};
pub use vitrine_rewrite::{Export, Extern, Import, ModuleType, Stage};
