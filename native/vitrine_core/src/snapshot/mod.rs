//! Snapshots: a plugin is initialised once, and a module is made that begins with the memory and
//! globals that this left. Its instances begin there, and no initialiser runs in them.
//!
//! A module that is to become one is compiled as a [`Stage::Draft`], whose state is exported so
//! that it can be read, and bound to a plugin like any other: so its initialisation, which is guest
//! code like any other, has the deadline, the limits and the host functions of a call. From the
//! instance that this leaves, [`Plugin::take_snapshot`] makes the module, to be compiled as a
//! [`Stage::Snapshot`].
//!
//! What is kept are the module's own memories, and its globals that are numbers. References are
//! not: what else a guest can change is refused ([`check`]). The kernel's memory is not either: each
//! call begins with an empty one.
//!
//! wasmtime-wizer does the same for modules that are trusted. It asserts what a hostile one can
//! break, remembers each run of bytes that are not zero (some gigabytes for a guest that fills its
//! memory with a pattern), and takes exports away.

mod check;
mod image;
mod rewrite;

use std::panic::{AssertUnwindSafe, catch_unwind};

pub(crate) use check::check;

use crate::compile::binary;
use crate::error::{Error, Reason};
use crate::instance::Instance;
use crate::plugin::Plugin;
use image::Image;

/// Where in the making of a snapshot a module stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// It is to be initialised, and then a snapshot is taken.
    Draft,
    /// It is a snapshot: its initialisers have run.
    Snapshot,
}

impl Plugin {
    /// A module that begins as the plugin's instance is now. The plugin's module must be a
    /// [`Stage::Draft`]; its instance is gone afterwards.
    ///
    /// This takes as long as it takes to read the instance's memory: it is work for a worker, see
    /// [`crate::submit`].
    pub fn take_snapshot(&self) -> Result<Vec<u8>, Error> {
        let Some(source) = &self.main().source else {
            return Err(refused("the plugin was not compiled for it"));
        };
        let taken = match self.take_instance()? {
            None => Err(refused("no instance is left: its initialisation ended it")),
            Some(mut instance) => {
                let take = || take(source, &mut instance, self.shared.limits.memory);
                catch_unwind(AssertUnwindSafe(take))
                    .unwrap_or_else(|_| Err(refused("reading it panicked")))
            }
        };
        self.put_back(None);
        taken
    }
}

fn take(source: &[u8], instance: &mut Instance, memory_limit: u64) -> Result<Vec<u8>, Error> {
    let wasm = binary(source)?;
    let (store, instance) = instance.parts();
    check::check_wasi(store)?;
    let image = Image::read(&wasm, store, instance, memory_limit)?;
    rewrite::rewrite(&wasm, &image).map_err(|e| refused(format!("{e:#}")))
}

/// That there can be no snapshot of a plugin.
fn refused(why: impl std::fmt::Display) -> Error {
    Error::new(
        Reason::Snapshot,
        format!("no snapshot can be taken of the plugin: {why}"),
    )
}
