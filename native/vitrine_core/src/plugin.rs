//! A plugin: a compiled module bound to its host functions, configuration and limits, with at most
//! one live instance, used by one call at a time.

use std::path::PathBuf;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::{Mutex, RwLock};

use crate::abi::{Config, LastResponse, VarValue, Vars};
use crate::call::{Call, Work};
use crate::clock;
use crate::compiled::Compiled;
use crate::control::Control;
use crate::error::{Error, Reason, Stop};
use crate::fuel::{FuelLimits, Used};
use crate::instance::Instance;
use crate::last_words::LastWords;
use crate::limits::Limits;
use crate::link::{Links, unlinkable};
use crate::overruns::Overruns;
use crate::reaper::Reaped;
use crate::stats::{Counters, Stats};
use crate::trim::Trimming;
use crate::wake::CallWaker;
use crate::wasi::{Account, CallInput, Captured, FileThreads, Wasi};

/// What happens to an instance whose call did not return: it trapped, was stopped, or exited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnTrap {
    /// The next call gets a fresh instance. Variables are kept.
    #[default]
    Reset,
    /// The next call finds the instance as the failed one left it.
    Keep,
}

/// How a plugin is made.
#[derive(Debug, Clone, Default)]
pub struct PluginOptions {
    /// What `config_get` finds.
    pub config: Config,
    /// What an instance may use.
    pub limits: Limits,
    /// Bytes of variables.
    pub max_var_bytes: u64,
    /// What is granted by WASI preview 1, if the modules were linked with it.
    pub wasi: Option<Wasi>,
    /// Limits of fuel, if the modules were compiled to count it.
    pub fuel: Option<FuelLimits>,
    /// The file for the coredump of a call that traps, if the modules were compiled for it.
    pub coredump: Option<PathBuf>,
    /// Whether the plugin sees the headers of HTTP responses.
    pub http_response_headers: bool,
    /// See [`OnTrap`].
    pub on_trap: OnTrap,
}

/// How a call is made.
#[derive(Debug, Clone, Copy)]
pub struct CallOptions {
    /// The time the call may take in all.
    pub timeout: Option<Duration>,
    /// The lowest level that is logged, as the ABI numbers them.
    pub log_level: i32,
}

/// What all instances of a plugin share, one after the other.
pub(crate) struct Shared {
    pub(crate) links: Arc<Links>,
    pub(crate) config: RwLock<Config>,
    pub(crate) vars: Mutex<Vars>,
    pub(crate) http: Mutex<LastResponse>,
    pub(crate) http_response_headers: bool,
    pub(crate) limits: Limits,
    pub(crate) wasi: Option<Wasi>,
    /// What of the bounds of its directories is used.
    pub(crate) accounts: Vec<Option<Account>>,
    pub(crate) file_threads: FileThreads,
    pub(crate) call_input: CallInput,
    pub(crate) captured: Captured,
    pub(crate) last_words: LastWords,
    pub(crate) fuel: Option<FuelLimits>,
    pub(crate) fuel_used: Used,
    pub(crate) counters: Counters,
    pub(crate) coredump: Option<PathBuf>,
    pub(crate) on_trap: OnTrap,
    pub(crate) control: Control,
    pub(crate) call_waker: Arc<CallWaker>,
    /// The same, as futures want it.
    pub(crate) waker: Waker,
    pub(crate) overruns: Overruns,
}

enum Slot {
    /// The next call begins with a fresh instance.
    Vacant,
    Ready(Box<Instance>),
    Busy,
    Closed,
}

/// A plugin. Dropping it drops its instance; a call keeps it alive.
pub struct Plugin {
    pub(crate) shared: Reaped<Arc<Shared>>,
    slot: Mutex<Slot>,
    pub(crate) trimming: Trimming,
}

impl Shared {
    /// The module whose functions are called.
    pub(crate) fn main(&self) -> &Arc<Compiled> {
        self.links.main()
    }

    /// Whether an instance begins by asking the operating system for directories.
    pub(crate) fn opens_directories(&self) -> bool {
        let wasi = self.wasi.as_ref();
        wasi.is_some_and(|granted| !granted.directories.is_empty())
    }

    /// Whether nothing of the plugin is to run on normal schedulers.
    pub(crate) fn only_dirty(&self) -> bool {
        self.links.long_steps || self.overruns.too_many()
    }
}

impl Plugin {
    /// A plugin of linked modules. Nothing of them has run yet.
    pub fn new(links: Arc<Links>, options: PluginOptions) -> Result<Arc<Plugin>, Error> {
        if links.has_wasi != options.wasi.is_some() {
            return Err(unlinkable(
                "WASI must be granted to a plugin that is linked with it, and to no other".into(),
            ));
        }
        let call_waker = Arc::<CallWaker>::default();
        let accounts = options.wasi.as_ref().map_or_else(Vec::new, Wasi::accounts);
        let shared = Shared {
            links,
            config: RwLock::new(options.config),
            vars: Mutex::new(Vars::new(options.max_var_bytes)),
            http: Mutex::default(),
            http_response_headers: options.http_response_headers,
            limits: options.limits,
            wasi: options.wasi,
            accounts,
            file_threads: FileThreads::default(),
            call_input: CallInput::default(),
            captured: Captured::default(),
            last_words: LastWords::default(),
            fuel: options.fuel,
            fuel_used: Used::default(),
            counters: Counters::default(),
            coredump: options.coredump,
            on_trap: options.on_trap,
            control: Control::new(),
            waker: Waker::from(call_waker.clone()),
            call_waker,
            overruns: Overruns::default(),
        };
        Ok(Arc::new(Plugin {
            shared: Reaped::new(Arc::new(shared)),
            slot: Mutex::new(Slot::Vacant),
            trimming: Trimming::default(),
        }))
    }

    /// The module whose functions are called.
    pub fn main(&self) -> &Arc<Compiled> {
        self.shared.main()
    }

    /// Begins a call of an exported function. `input` is copied before this returns.
    pub fn start(
        self: &Arc<Self>,
        function: &str,
        input: &[u8],
        options: CallOptions,
    ) -> Result<Call, Error> {
        self.shared.counters.call();
        self.try_start(function, input, None, options)
            .inspect_err(|error| self.shared.counters.error(error.reason))
    }

    /// The same with a standard input of its own: what the function leaves of it is dropped.
    pub fn start_with_stdin(
        self: &Arc<Self>,
        function: &str,
        input: &[u8],
        stdin: Bytes,
        options: CallOptions,
    ) -> Result<Call, Error> {
        self.shared.counters.call();
        self.try_start(function, input, Some(stdin), options)
            .inspect_err(|error| self.shared.counters.error(error.reason))
    }

    fn try_start(
        self: &Arc<Self>,
        function: &str,
        input: &[u8],
        stdin: Option<Bytes>,
        options: CallOptions,
    ) -> Result<Call, Error> {
        let links = &self.shared.links;
        let export = links.main().exports.callable(function);
        let export = export.ok_or_else(|| links.not_callable(function))?;
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
                    self.put_back(Some(instance));
                    return Err(error);
                }
            },
        };
        Ok(Call::new(self.clone(), begun, work))
    }

    /// Begins to make the plugin's instance, if it has none.
    pub fn initialise(self: &Arc<Self>, options: CallOptions) -> Result<Call, Error> {
        let instance = self.take(options)?;
        let begun = self.begin(options);
        Ok(Call::new(self.clone(), begun, Work::Initialise(instance)))
    }

    fn begin(&self, options: CallOptions) -> u64 {
        let now = clock::now();
        let deadline = clock::after(now, options.timeout);
        self.shared.control.begin_call(deadline, options.log_level);
        self.shared.last_words.forget();
        now
    }

    /// Takes the instance for a call that has some time.
    fn take(&self, options: CallOptions) -> Result<Option<Box<Instance>>, Error> {
        if options.timeout == Some(Duration::ZERO) {
            let stop = Stop::Timeout;
            return Err(Error::new(stop.reason(), stop.to_string()));
        }
        self.take_instance()
    }

    pub(crate) fn take_instance(&self) -> Result<Option<Box<Instance>>, Error> {
        let mut slot = self.slot.lock();
        match std::mem::replace(&mut *slot, Slot::Busy) {
            Slot::Ready(instance) => {
                self.shared.control.forget_cancel();
                Ok(Some(instance))
            }
            Slot::Vacant => {
                self.shared.control.forget_cancel();
                Ok(None)
            }
            Slot::Busy => Err(busy()),
            Slot::Closed => {
                *slot = Slot::Closed;
                Err(closed())
            }
        }
    }

    /// Ends a call: the instance, if it is to be used again, waits for the next.
    pub(crate) fn put_back(&self, instance: Option<Box<Instance>>) {
        if instance.is_none() {
            // A guest that was given up may have been in the middle of a request.
            self.shared.control.forget_request();
        }
        let mut slot = self.slot.lock();
        if matches!(*slot, Slot::Busy) {
            *slot = instance.map_or(Slot::Vacant, Slot::Ready);
        }
    }

    /// Stops the call that is running, from whichever process. Without one nothing happens.
    pub fn cancel(&self) {
        let slot = self.slot.lock();
        if matches!(*slot, Slot::Busy) {
            self.shared.control.cancel();
            drop(slot);
            self.shared.waker.wake_by_ref();
        }
    }

    /// Whether no call runs.
    pub fn is_idle(&self) -> bool {
        !matches!(*self.slot.lock(), Slot::Busy)
    }

    /// Whether it was closed.
    pub fn is_closed(&self) -> bool {
        matches!(*self.slot.lock(), Slot::Closed)
    }

    /// Drops the instance: the next call begins with a fresh one. Variables are kept.
    pub fn reset(&self) -> Result<(), Error> {
        let instance = self.take_instance()?;
        drop(instance);
        self.put_back(None);
        Ok(())
    }

    /// Gives back some of what the instance holds and no call needs: whether there is more of
    /// it, or `None` while a call runs.
    pub(crate) fn trim(&self) -> Option<bool> {
        match &mut *self.slot.lock() {
            Slot::Ready(instance) => Some(instance.trim()),
            Slot::Busy => None,
            Slot::Vacant | Slot::Closed => Some(false),
        }
    }

    /// The variables as they are now.
    pub fn vars(&self) -> Vec<(Arc<str>, VarValue)> {
        self.shared.vars.lock().all()
    }

    /// Another number after each change of the variables.
    pub fn vars_version(&self) -> u64 {
        self.shared.vars.lock().version()
    }

    /// Puts these variables in the place of those that are there.
    pub fn put_vars(&self, vars: Vec<(String, Vec<u8>)>) -> Result<(), Error> {
        self.refuse_if_closed()?;
        let vars = vars.into_iter().collect();
        // What was there before is dropped when the lock is free again.
        let put = self.shared.vars.lock().replace(vars);
        put.map(drop)
            .map_err(|stop| Error::new(Reason::Vars, stop.to_string()))
    }

    /// Sets or, without a value, deletes keys of the configuration, from the next `config_get` on.
    pub fn put_config(&self, changes: Vec<(String, Option<String>)>) -> Result<(), Error> {
        self.refuse_if_closed()?;
        let mut config = self.shared.config.write();
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

    /// What was captured of the standard output and the standard error since it was last taken.
    pub fn take_printed(&self) -> [Vec<u8>; 2] {
        self.shared.captured.take()
    }

    /// The fuel that the last call used, or the initialisation before any call. 0 where none is
    /// counted.
    pub fn fuel_used(&self) -> u64 {
        self.shared.fuel_used.get()
    }

    /// What the plugin has done so far, and what it uses.
    pub fn stats(&self) -> Stats {
        let vars = self.shared.vars.lock().used();
        self.shared.counters.read(vars)
    }

    /// Drops the instance for good and stops the call that is running.
    pub fn close(&self) {
        let mut slot = self.slot.lock();
        let before = std::mem::replace(&mut *slot, Slot::Closed);
        let busy = matches!(before, Slot::Busy);
        if busy {
            self.shared.control.cancel();
        }
        drop(slot);
        drop(before);
        if busy {
            self.shared.waker.wake_by_ref();
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
