//! A call that has ended: its output, and the return of its instance to the plugin.

use std::sync::Arc;

use super::trim;
use super::work::Ended;
use crate::error::Error;
use crate::host::plugin_state::OnTrap;
use crate::plugin::Plugin;

/// A call that has ended. Dropping it returns the instance to the plugin.
pub struct Finished {
    plugin: Arc<Plugin>,
    ended: Ended,
}

impl Finished {
    pub(crate) fn new(plugin: Arc<Plugin>, ended: Ended) -> Finished {
        Finished { plugin, ended }
    }

    /// The output, or the error.
    pub fn output(&mut self) -> Result<&[u8], &Error> {
        match (&self.ended.result, &mut self.ended.instance) {
            (Err(error), _) => Err(error),
            (Ok(()), Some(instance)) => Ok(instance.output()),
            (Ok(()), None) => Ok(&[]),
        }
    }
}

impl Drop for Finished {
    fn drop(&mut self) {
        let keep = self.ended.returned || self.plugin.state.on_trap == OnTrap::Keep;
        let mut instance = self.ended.instance.take().filter(|_| keep);
        if let Some(instance) = &mut instance {
            trim::note(&self.plugin, instance);
        }
        self.plugin.return_instance(instance);
    }
}
