//! Rewrites a module before it is compiled. Each pass turns WebAssembly bytes into WebAssembly bytes.
//!
//! [`rewrite`] runs the passes that a [`Plan`] asks for, in this order:
//!
//! 1. [`data`] takes large data segments out of the code, so that instances can share one image of them.
//! 2. [`command`] makes a command library reusable: its state is exported and can be put back between calls.
//! 3. [`snapshot`] checks a draft, and [`state_exports`] exports its state.
//! 4. `uninterruptible` looks for instructions that can be neither interrupted nor split.
//! 5. [`bulk`] splits long bulk instructions into chunks, so that they can be interrupted.
//! 6. [`fuse`] turns calls of the kernel's accessors into loads and stores of the module's own.
//!
//! Before that, [`compile_cost`] validates the module and refuses one that would take the compiler very long. This
//! crate knows nothing of Wasmtime: the output of each pass is a function of its input alone, and [`VERSION`] counts
//! its changes.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod bulk;
pub mod command;
pub mod compile_cost;
mod custom_sections;
pub mod data;
mod error;
pub mod features;
pub mod fuse;
mod module_type;
pub mod names;
mod sections;
pub mod snapshot;
pub mod state_exports;
mod survey;
mod uninterruptible;
mod version;

use std::borrow::Cow;

pub use data::DataImage;
pub use error::Error;
pub use module_type::{Export, Extern, Import, ModuleType};
pub use snapshot::Stage;
pub use version::VERSION;

use state_exports::Start;

/// The rewriting that a module needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// The code stays as it is, because debug information describes it.
    pub debug: bool,
    /// The module is linked to another one. If it is a command, it is prepared for a fresh state in each call.
    pub library: bool,
    /// The step of making a snapshot that the module is in, if any.
    pub stage: Option<Stage>,
    /// The kernel's accessors are fused into the module.
    pub fuse: bool,
    /// The code counts fuel.
    pub counts_fuel: bool,
    /// Large data is taken out of the code, and the instances share an image of it.
    pub shares_data: bool,
}

/// A module as it is compiled.
#[derive(Debug)]
pub struct Rewritten<'a> {
    /// The module's bytes.
    pub wasm: Cow<'a, [u8]>,
    /// The facts that are known of the module.
    pub flags: Flags,
    /// The data that was taken out of the code.
    pub data: Option<DataImage>,
}

/// Facts about a module that its native code does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags {
    /// The module is a command library: each call needs a fresh state.
    pub command: bool,
    /// The module has instructions that may take long and cannot be interrupted.
    pub uninterruptible: bool,
    /// The last import is the kernel's memory, which the guest did not ask for.
    pub fused: bool,
}

/// Rewrites a module that [`compile_cost::check`] accepted.
///
/// # Errors
///
/// Returns an error if the module is to become a snapshot and cannot, or would become larger than every engine accepts.
pub fn rewrite(mut wasm: Cow<'_, [u8]>, plan: Plan) -> Result<Rewritten<'_>, Error> {
    let mut flags = Flags::default();
    let data = shared_data(&wasm, plan)?;
    if plan.library
        && let Some(prepared) = command::prepare(&wasm, !plan.debug)?
    {
        (wasm, flags.command) = (Cow::Owned(prepared), true);
    }
    if plan.stage == Some(Stage::Draft) {
        snapshot::check(&wasm)?;
        wasm = Cow::Owned(state_exports::export_state(&wasm, Start::Run)?);
    }
    if plan.debug {
        // The code is not looked at, so any of it may take long.
        flags.uninterruptible = true;
        return Ok(Rewritten { wasm, flags, data });
    }
    flags.uninterruptible = uninterruptible::is_uninterruptible(&wasm)?;
    if let Cow::Owned(split) = bulk::make_interruptible(&wasm)? {
        wasm = Cow::Owned(split);
    }
    // A draft runs once: fusing it would cost more than it saves.
    if plan.fuse
        && plan.stage != Some(Stage::Draft)
        && let Some(fused) = fuse::fuse(&wasm, !plan.counts_fuel)?
    {
        (wasm, flags.fused) = (Cow::Owned(fused), true);
    }
    if data.is_some() {
        wasm = Cow::Owned(data::without_data(&wasm)?);
    }
    Ok(Rewritten { wasm, flags, data })
}

/// The data of the original module, if [`rewrite`] takes it out of the code.
///
/// # Errors
///
/// Returns an error if the module is malformed.
pub fn shared_data(wasm: &[u8], plan: Plan) -> Result<Option<DataImage>, Error> {
    match plan.shares_data && plan.stage != Some(Stage::Draft) {
        true => Ok(data::data_image(wasm)?),
        false => Ok(None),
    }
}
