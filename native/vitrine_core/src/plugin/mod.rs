//! A plugin: linked modules with their configuration, grants and limits. A plugin has at most one live instance, which
//! serves one call at a time.
//!
//! This file has what an embedder does with a plugin, and the slot that the instance waits in between calls. To follow
//! the way of a call, read [`Plugin::start`] here, then `call` (what the embedder drives, step by step), `work` (what
//! runs on the guest's side) and `finished` (how the instance returns to the plugin). `snapshot` and `trim` are features
//! beside calls.

pub(crate) mod call;
pub(crate) mod finished;
pub(crate) mod snapshot;
pub(crate) mod trim;
mod work;

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;

use self::call::Call;
use self::trim::Trimming;
use self::work::Work;
use crate::compile::compiled::CompiledModule;
use crate::error::{Error, Reason, Stop};
use crate::host::extism::VarValue;
use crate::host::plugin_state::{PluginOptions, PluginState};
use crate::host::stats::Stats;
use crate::instance::Instance;
use crate::link::{LinkedPlugin, unlinkable};
use crate::schedule::clock;
use crate::schedule::overruns::Overruns;
use crate::schedule::reaper::Reaped;
use crate::schedule::waker::CallWaker;

/// How a call is made.
#[derive(Debug, Clone, Copy)]
pub struct CallOptions {
    /// How long the whole call may take.
    pub timeout: Option<Duration>,
    /// The lowest level that is logged, as a number of the ABI.
    pub log_level: i32,
}

/// The place of a plugin's instance.
enum Slot {
    /// There is no instance. The next call makes a fresh one.
    Vacant,
    /// The instance waits for the next call.
    Ready(Box<Instance>),
    /// A call has the instance, or makes it.
    Busy,
    /// The plugin was closed.
    Closed,
}

/// A plugin. Dropping it drops its instance; a call keeps it alive.
pub struct Plugin {
    pub(crate) linked: Arc<LinkedPlugin>,
    /// The reaper drops it, because variables may be large.
    pub(crate) state: Reaped<Arc<PluginState>>,
    pub(crate) call_waker: Arc<CallWaker>,
    /// `call_waker` as a [`Waker`], for futures.
    pub(crate) waker: Waker,
    pub(crate) overruns: Overruns,
    slot: Mutex<Slot>,
    pub(crate) trimming: Trimming,
}

impl Plugin {
    /// Makes a plugin of linked modules. None of their code runs.
    ///
    /// # Errors
    ///
    /// If WASI is granted to a plugin that is not linked with it, or is not granted to one that is.
    pub fn new(linked: Arc<LinkedPlugin>, options: PluginOptions) -> Result<Arc<Plugin>, Error> {
        if linked.has_wasi != options.wasi.is_some() {
            return Err(unlinkable(
                "WASI must be granted to a plugin that is linked with it, and to no other".into(),
            ));
        }
        let call_waker = Arc::<CallWaker>::default();
        let state = PluginState::new(options, linked.lends_blocks);
        Ok(Arc::new(Plugin {
            linked,
            state: Reaped::new(Arc::new(state)),
            waker: Waker::from(call_waker.clone()),
            call_waker,
            overruns: Overruns::default(),
            slot: Mutex::new(Slot::Vacant),
            trimming: Trimming::default(),
        }))
    }

    /// The module whose functions are called.
    pub fn main(&self) -> &Arc<CompiledModule> {
        self.linked.main()
    }

    /// Whether the plugin must run on dirty schedulers only.
    pub(crate) fn only_dirty(&self) -> bool {
        self.linked.uninterruptible || self.overruns.too_many()
    }

    /// Starts a call of an exported function. `input` is copied before this returns.
    pub fn start(
        self: &Arc<Self>,
        function: &str,
        input: &[u8],
        options: CallOptions,
    ) -> Result<Call, Error> {
        self.state.counters.call();
        self.try_start(function, input, None, options)
            .inspect_err(|error| self.state.counters.error(error.reason))
    }

    /// Like [`Plugin::start`], for a call with a standard input of its own. What the function does not read of it is
    /// dropped.
    pub fn start_with_stdin(
        self: &Arc<Self>,
        function: &str,
        input: &[u8],
        stdin: Bytes,
        options: CallOptions,
    ) -> Result<Call, Error> {
        self.state.counters.call();
        self.try_start(function, input, Some(stdin), options)
            .inspect_err(|error| self.state.counters.error(error.reason))
    }

    fn try_start(
        self: &Arc<Self>,
        function: &str,
        input: &[u8],
        stdin: Option<Bytes>,
        options: CallOptions,
    ) -> Result<Call, Error> {
        let linked = &self.linked;
        let export = linked.main().exports.callable(function);
        let export = export.ok_or_else(|| linked.not_callable(function))?;
        let instance = self.take(options)?;
        let begun = self.begin(options);
        let work = match instance {
            None => Work::Fresh {
                input: input.to_vec(),
                stdin,
                export,
            },
            Some(mut instance) => match instance.begin_call(input) {
                Ok(()) => Work::Ready {
                    instance,
                    stdin,
                    export,
                },
                Err(error) => {
                    self.return_instance(Some(instance));
                    return Err(error);
                }
            },
        };
        Ok(Call::new(self.clone(), begun, work))
    }

    /// Starts to make the plugin's instance, if it has none.
    pub fn initialise(self: &Arc<Self>, options: CallOptions) -> Result<Call, Error> {
        let instance = self.take(options)?;
        let begun = self.begin(options);
        Ok(Call::new(self.clone(), begun, Work::Initialise(instance)))
    }

    fn begin(&self, options: CallOptions) -> u64 {
        let now = clock::now();
        let deadline = clock::after(now, options.timeout);
        self.state.control.begin_call(deadline, options.log_level);
        self.state.last_words.forget();
        now
    }

    /// Takes the instance for a call, unless the call has no time at all.
    fn take(&self, options: CallOptions) -> Result<Option<Box<Instance>>, Error> {
        if options.timeout == Some(Duration::ZERO) {
            let stop = Stop::Timeout;
            return Err(Error::new(stop.reason(), stop.to_string()));
        }
        self.take_instance()
    }

    /// Takes the instance out of its slot, which is busy until [`Plugin::return_instance`].
    pub(crate) fn take_instance(&self) -> Result<Option<Box<Instance>>, Error> {
        let mut slot = self.slot.lock();
        match std::mem::replace(&mut *slot, Slot::Busy) {
            Slot::Ready(instance) => {
                self.state.control.forget_cancel();
                Ok(Some(instance))
            }
            Slot::Vacant => {
                self.state.control.forget_cancel();
                Ok(None)
            }
            Slot::Busy => Err(busy()),
            Slot::Closed => {
                *slot = Slot::Closed;
                Err(closed())
            }
        }
    }

    /// Ends a call. The instance, if it is to be used again, returns to its slot for the next call.
    pub(crate) fn return_instance(&self, instance: Option<Box<Instance>>) {
        if instance.is_none() {
            // A guest that was dropped may have been in the middle of a request.
            self.state.control.forget_request();
        }
        let mut slot = self.slot.lock();
        if matches!(*slot, Slot::Busy) {
            *slot = instance.map_or(Slot::Vacant, Slot::Ready);
        }
    }

    /// Stops the call that is running, if there is one. Any process may do this.
    pub fn cancel(&self) {
        let slot = self.slot.lock();
        if matches!(*slot, Slot::Busy) {
            self.state.control.cancel();
            drop(slot);
            self.waker.wake_by_ref();
        }
    }

    /// Whether no call is running.
    pub fn is_idle(&self) -> bool {
        !matches!(*self.slot.lock(), Slot::Busy)
    }

    /// Whether the plugin was closed.
    pub fn is_closed(&self) -> bool {
        matches!(*self.slot.lock(), Slot::Closed)
    }

    /// Drops the instance, so that the next call begins with a fresh one. Variables are kept.
    pub fn reset(&self) -> Result<(), Error> {
        let instance = self.take_instance()?;
        drop(instance);
        self.return_instance(None);
        Ok(())
    }

    /// Decommits some memory that the instance does not need. Gives whether more is left, or `None` while a call is
    /// running.
    pub(crate) fn trim(&self) -> Option<bool> {
        match &mut *self.slot.lock() {
            Slot::Ready(instance) => Some(instance.trim()),
            Slot::Busy => None,
            Slot::Vacant | Slot::Closed => Some(false),
        }
    }

    /// The current variables.
    pub fn vars(&self) -> Vec<(Arc<str>, VarValue)> {
        self.state.vars.lock().all()
    }

    /// A number that changes with each change of the variables.
    pub fn vars_version(&self) -> u64 {
        self.state.vars.lock().version()
    }

    /// Replaces all variables by these.
    pub fn put_vars(&self, vars: Vec<(String, Vec<u8>)>) -> Result<(), Error> {
        self.refuse_if_closed()?;
        let vars = vars.into_iter().collect();
        // The previous variables are dropped once the lock is free again.
        let put = self.state.vars.lock().replace(vars);
        put.map(drop)
            .map_err(|stop| Error::new(Reason::Vars, stop.to_string()))
    }

    /// Sets keys of the configuration, or deletes those without a value. The guest's next `config_get` sees the change.
    pub fn put_config(&self, changes: Vec<(String, Option<String>)>) -> Result<(), Error> {
        self.refuse_if_closed()?;
        let mut config = self.state.config.write();
        for (key, value) in changes {
            match value {
                Some(value) => config.insert(key, value),
                None => config.remove(&key),
            };
        }
        Ok(())
    }

    fn refuse_if_closed(&self) -> Result<(), Error> {
        if self.is_closed() {
            return Err(closed());
        }
        Ok(())
    }

    /// The standard output and the standard error that were captured since they were last taken.
    pub fn take_printed(&self) -> [Vec<u8>; 2] {
        self.state.captured.take()
    }

    /// The fuel that the last call used or, before the first call, the initialisation. It is 0 if fuel is not counted.
    pub fn fuel_used(&self) -> u64 {
        self.state.fuel_used.get()
    }

    /// Statistics: what the plugin has done so far, and what it uses.
    pub fn stats(&self) -> Stats {
        let vars = self.state.vars.lock().used();
        self.state.counters.read(vars)
    }

    /// Closes the plugin for good: drops its instance, and stops the call that is running.
    pub fn close(&self) {
        let mut slot = self.slot.lock();
        let before = std::mem::replace(&mut *slot, Slot::Closed);
        let busy = matches!(before, Slot::Busy);
        if busy {
            self.state.control.cancel();
        }
        drop(slot);
        drop(before);
        if busy {
            self.waker.wake_by_ref();
        }
    }
}

fn closed() -> Error {
    Error::new(Reason::Closed, "the plugin was closed")
}

fn busy() -> Error {
    Error::new(
        Reason::Busy,
        "the plugin is in the middle of a call; one instance serves one call at a time",
    )
}
