//! The data of a store: what the host's functions work with, and the instances that are there.

use std::sync::Arc;

use wasmtime::{Func, Global, Instance, Memory, Ref, Table, Val};

use super::LinkedPlugin;
use crate::host::{HostContext, HostView};

/// The data of a store.
pub(crate) struct StoreData {
    pub(crate) host: HostContext,
    pub(crate) instances: Instances,
}

impl StoreData {
    /// The data of a store in which no instance was made yet.
    pub(crate) fn new(host: HostContext) -> StoreData {
        StoreData {
            host,
            instances: Instances::default(),
        }
    }
}

impl HostView for StoreData {
    fn host(&self) -> &HostContext {
        &self.host
    }

    fn host_mut(&mut self) -> &mut HostContext {
        &mut self.host
    }
}

/// The instances in a store. Each place in the vectors is that of a module in [`LinkedPlugin`].
#[derive(Default)]
pub(crate) struct Instances {
    /// The plugin whose modules they are instances of, once one was made.
    pub(crate) linked: Option<Arc<LinkedPlugin>>,
    pub(crate) kernel: Option<Instance>,
    pub(crate) trampolines: Option<Instance>,
    /// The memory in which fused modules find nothing.
    pub(crate) blank: Option<Memory>,
    /// The modules' instances. Those of commands are never set.
    pub(crate) modules: Vec<Option<Instance>>,
    /// The instances of commands that no call uses now.
    pub(crate) commands: Vec<Vec<CommandInstance>>,
    /// How many calls of commands there are within each other.
    pub(crate) depth: usize,
}

/// An instance of a command that can be reset to its beginning.
pub(crate) struct CommandInstance {
    pub(crate) instance: Instance,
    pub(crate) start: Option<Func>,
    pub(crate) memories: Vec<(Memory, FirstBytes)>,
    pub(crate) globals: Vec<(Global, Val)>,
    pub(crate) tables: Vec<(Table, Vec<Ref>)>,
}

/// The first content of a memory: where there are bytes that are not zero, and these.
pub(crate) struct FirstBytes(pub(crate) Vec<(usize, Box<[u8]>)>);
