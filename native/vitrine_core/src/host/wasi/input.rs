//! A plugin's standard input: the call's own, if it has one, and otherwise the one that each instance begins with.

use bytes::Bytes;
use std::sync::Arc;

use parking_lot::Mutex;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdinStream};
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::p2::{InputStream, Pollable, StreamError, StreamResult};

use crate::host::plugin_state::PluginState;

/// The standard input of the running call, if it has its own.
#[derive(Default)]
pub(crate) struct CallInput(Mutex<Option<Bytes>>);

impl CallInput {
    pub(crate) fn give(&self, bytes: Bytes) {
        *self.0.lock() = Some(bytes);
    }

    /// Drops what is left of the input.
    pub(crate) fn forget(&self) {
        *self.0.lock() = None;
    }
}

/// The standard input of an instance.
#[derive(Clone)]
pub(super) struct Input {
    plugin: Arc<PluginState>,
    /// The rest of the instance's own input.
    own: Arc<Mutex<Bytes>>,
}

impl Input {
    pub(super) fn new(plugin: Arc<PluginState>, own: Bytes) -> Input {
        Input {
            plugin,
            own: Arc::new(Mutex::new(own)),
        }
    }
}

fn read(left: &mut Bytes, size: usize) -> StreamResult<Bytes> {
    if left.is_empty() {
        return Err(StreamError::Closed);
    }
    Ok(left.split_to(size.min(left.len())))
}

impl IsTerminal for Input {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdinStream for Input {
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncRead + Send + Sync> {
        // Preview 1 only asks for the other kind of stream.
        Box::new(MemoryInputPipe::new(Bytes::new()))
    }

    fn p2_stream(&self) -> Box<dyn InputStream> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl Pollable for Input {
    async fn ready(&mut self) {}
}

#[async_trait]
impl InputStream for Input {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        match &mut *self.plugin.call_input.0.lock() {
            Some(left) => read(left, size),
            None => read(&mut self.own.lock(), size),
        }
    }
}
