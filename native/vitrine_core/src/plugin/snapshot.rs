//! Snapshots. A plugin is initialised once. From the memories and globals that this leaves, a new module is made whose
//! instances begin with that state, without running an initialiser.
//!
//! The original module is compiled as a [`crate::Stage::Draft`], which exports its state so that it can be read. A
//! plugin is made of it as of any other module. Its initialisation is guest code like any other, so it has the deadline,
//! the limits and the host functions of a call. [`Plugin::take_snapshot`] makes the new module from the instance that
//! this leaves. The new module is then compiled as a [`crate::Stage::Snapshot`].
//!
//! [`vitrine_rewrite::snapshot`] says what is kept and what is refused. The kernel's memory is not kept, because each
//! call begins with an empty one.

use std::panic::{AssertUnwindSafe, catch_unwind};

use vitrine_rewrite::snapshot::encode;

use crate::compile::binary::{binary, no_snapshot};
use crate::error::Error;
use crate::instance::Instance;
use crate::instance::snapshot::{read, wasi};
use crate::plugin::Plugin;

impl Plugin {
    /// Makes a module that begins with the current state of the plugin's instance. The plugin's module must be a
    /// [`crate::Stage::Draft`]. The instance is dropped.
    ///
    /// This reads all of the instance's memory, so it is work for a worker: see [`crate::submit`].
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
        self.return_instance(None);
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
