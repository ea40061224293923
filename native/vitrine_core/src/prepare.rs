//! What a module becomes before it is compiled.

use std::borrow::Cow;

use crate::compile::{CompileOptions, Flags};
use crate::data_image::{DataImage, data_image, without_data};
use crate::fuse::fuse;
use crate::interruptible::make_interruptible;
use crate::long_steps::has_long_steps;
use crate::reusable::make_reusable;
use crate::snapshot::{self, Stage};
use crate::state_exports::{Start, export_state};

/// A module as it is compiled.
pub(crate) struct Prepared<'a> {
    pub(crate) wasm: Cow<'a, [u8]>,
    pub(crate) flags: Flags,
    /// Its data, if that is not in it any more.
    pub(crate) data: Option<DataImage>,
}

/// Rewrites the module, which must be valid.
///
/// # Errors
///
/// When it is to become a snapshot and cannot.
pub(crate) fn prepare<'a>(
    mut wasm: Cow<'a, [u8]>,
    options: CompileOptions,
) -> anyhow::Result<Prepared<'a>> {
    let mut flags = Flags::default();
    let data = shared_data(&wasm, options)?;
    if options.library
        && let Some(reusable) = make_reusable(&wasm, !options.settings.debug)?
    {
        (wasm, flags.command) = (Cow::Owned(reusable), true);
    }
    if options.stage == Some(Stage::Draft) {
        snapshot::check(&wasm)?;
        wasm = Cow::Owned(export_state(&wasm, Start::Run)?);
    }
    if options.settings.debug {
        // The debug information speaks of the code as it is.
        flags.long_steps = true;
        return Ok(Prepared { wasm, flags, data });
    }
    flags.long_steps = has_long_steps(&wasm)?;
    if let Cow::Owned(rewritten) = make_interruptible(&wasm)? {
        wasm = Cow::Owned(rewritten);
    }
    // A draft runs once: to fuse it does not pay.
    if options.fuse
        && options.stage != Some(Stage::Draft)
        && let Some(fused) = fuse(&wasm, !options.settings.fuel)?
    {
        (wasm, flags.fused) = (Cow::Owned(fused), true);
    }
    if data.is_some() {
        wasm = Cow::Owned(without_data(&wasm)?);
    }
    Ok(Prepared { wasm, flags, data })
}

/// The data of a module, as it was given, if that becomes an image and is taken out of the code.
pub(crate) fn shared_data(
    wasm: &[u8],
    options: CompileOptions,
) -> anyhow::Result<Option<DataImage>> {
    match options.settings.shares_data() && options.stage != Some(Stage::Draft) {
        true => data_image(wasm),
        false => Ok(None),
    }
}
