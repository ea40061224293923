//! Snapshots: a plugin is initialised once, and a module is made that begins with the memory and
//! globals that this left. Its instances begin there, and no initialiser runs in them.
//!
//! A module that is to become one is compiled as a [`crate::Stage::Draft`], whose state is exported so
//! that it can be read, and bound to a plugin like any other: so its initialisation, which is guest
//! code like any other, has the deadline, the limits and the host functions of a call. From the
//! instance that this leaves, [`Plugin::take_snapshot`] makes the module, to be compiled as a
//! [`crate::Stage::Snapshot`].
//!
//! What is kept and what is refused: [`vitrine_rewrite::snapshot`]. The kernel's memory is not kept: each call begins
//! with an empty one.

use std::panic::{AssertUnwindSafe, catch_unwind};

use vitrine_rewrite::snapshot::encode;

use crate::compile::binary::{binary, no_snapshot};
use crate::error::Error;
use crate::instance::Instance;
use crate::instance::snapshot::{read, wasi};
use crate::plugin::Plugin;

impl Plugin {
    /// A module that begins as the plugin's instance is now. The plugin's module must be a
    /// [`crate::Stage::Draft`]; its instance is gone afterwards.
    ///
    /// This takes as long as it takes to read the instance's memory: it is work for a worker, see
    /// [`crate::submit`].
    pub fn take_snapshot(&self) -> Result<Vec<u8>, Error> {
        let Some(source) = &self.main().source else {
            return Err(no_snapshot("the plugin was not compiled for it"));
        };
        let taken = match self.take_instance()? {
            None => Err(no_snapshot(
                "no instance is left: its initialisation ended it",
            )),
            Some(mut instance) => {
                let take = || take(source, &mut instance, self.state.limits.memory);
                catch_unwind(AssertUnwindSafe(take))
                    .unwrap_or_else(|_| Err(no_snapshot("reading it panicked")))
            }
        };
        self.put_back(None);
        taken
    }
}

fn take(source: &[u8], instance: &mut Instance, memory_limit: u64) -> Result<Vec<u8>, Error> {
    let wasm = binary(source)?;
    let (store, instance) = instance.parts();
    wasi::check(store)?;
    let state = read::read(&wasm, store, instance, memory_limit)?;
    encode(&wasm, &state).map_err(no_snapshot)
}
