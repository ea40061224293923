//! The data of a store: the state of the host functions, and the instances in the store.

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
    /// The data of a store that has no instances yet.
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

/// The instances in a store. The vectors have the order of the modules of [`LinkedPlugin`].
#[derive(Default)]
pub(crate) struct Instances {
    /// The plugin whose modules are instantiated, once instantiation has begun.
    pub(crate) linked: Option<Arc<LinkedPlugin>>,
    pub(crate) kernel: Option<Instance>,
    pub(crate) trampolines: Option<Instance>,
    /// The blank memory, see [`super::Source::Blank`].
    pub(crate) blank: Option<Memory>,
    /// The instances of the modules. The places of commands stay empty.
    pub(crate) modules: Vec<Option<Instance>>,
    /// For each command, its instances that no call uses at the moment.
    pub(crate) commands: Vec<Vec<CommandInstance>>,
    /// How deep calls of commands are nested at the moment.
    pub(crate) depth: usize,
}

/// An instance of a command, with the state that it had when it was new, so that it can be reset.
pub(crate) struct CommandInstance {
    pub(crate) instance: Instance,
    pub(crate) start: Option<Func>,
    pub(crate) memories: Vec<(Memory, FirstBytes)>,
    pub(crate) globals: Vec<(Global, Val)>,
    pub(crate) tables: Vec<(Table, Vec<Ref>)>,
}

/// The initial content of a memory: its bytes that are not zero, and their places.
pub(crate) struct FirstBytes(pub(crate) Vec<(usize, Box<[u8]>)>);
