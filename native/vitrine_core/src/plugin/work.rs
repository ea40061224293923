//! The guest's side of a call: the futures that make an instance and call it. [`super::call::Call`] polls them.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;

use crate::error::Error;
use crate::host::plugin_state::PluginState;
use crate::instance::{Instance, instantiate};
use crate::link::LinkedPlugin;

/// The work of a call.
pub(crate) enum Work {
    /// Call the export. The instance has its input already.
    Ready {
        instance: Box<Instance>,
        stdin: Option<Bytes>,
        export: usize,
    },
    /// Make an instance, then call the export.
    Fresh {
        input: Vec<u8>,
        stdin: Option<Bytes>,
        export: usize,
    },
    /// Make an instance if there is none.
    Initialise(Option<Box<Instance>>),
}

/// The results of a guest that ran to its end.
pub(crate) struct Ended {
    pub(crate) instance: Option<Box<Instance>>,
    pub(crate) result: Result<(), Box<Error>>,
    /// Whether the function returned, and neither trapped nor exited.
    pub(crate) returned: bool,
}

/// A call on the guest's side.
pub(crate) type Running = Pin<Box<dyn Future<Output = Ended> + Send>>;

/// Makes an instance if there is none, and calls it if there is something to call.
pub(crate) async fn prepare(
    linked: Arc<LinkedPlugin>,
    plugin: Arc<PluginState>,
    work: Work,
) -> Ended {
    plugin.control.set_initialised(false);
    let (instance, wanted) = match work {
        Work::Ready {
            instance, export, ..
        } => (Ok(instance), Some(export)),
        Work::Initialise(Some(instance)) => (Ok(instance), None),
        Work::Initialise(None) => (instantiate(linked, plugin.clone()).await, None),
        Work::Fresh {
            input,
            stdin,
            export,
        } => (fresh(linked, &plugin, &input, stdin).await, Some(export)),
    };
    plugin.control.set_initialised(instance.is_ok());
    match (instance, wanted) {
        (Ok(instance), Some(export)) => call(instance, export).await,
        (Ok(instance), None) => Ended {
            instance: Some(instance),
            result: Ok(()),
            returned: true,
        },
        (Err(error), _) => Ended {
            instance: None,
            result: Err(error.into()),
            returned: false,
        },
    }
}

/// Makes an instance, and gives it the input and the standard input of its call.
async fn fresh(
    linked: Arc<LinkedPlugin>,
    plugin: &Arc<PluginState>,
    input: &[u8],
    stdin: Option<Bytes>,
) -> Result<Box<Instance>, Error> {
    let mut instance = instantiate(linked, plugin.clone()).await?;
    instance.begin_call(input)?;
    // Not earlier: initialisers read the plugin's standard input, and the call's is for the function.
    if let Some(stdin) = stdin {
        plugin.call_input.give(stdin);
    }
    Ok(instance)
}

/// Calls an export of an instance.
pub(crate) async fn call(mut instance: Box<Instance>, export: usize) -> Ended {
    let (result, returned) = instance.call(export).await;
    Ended {
        instance: Some(instance),
        result: result.map_err(Box::new),
        returned,
    }
}
