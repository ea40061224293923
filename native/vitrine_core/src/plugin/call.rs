//! A call in progress: the future that owns the instance while the guest runs, and the steps by
//! which the embedder drives it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;

use crate::error::{Error, Reason, Stop};
use crate::host::plugin_state::{OnTrap, PluginState};
use crate::host::protocol::{Reply, Request};
use crate::host::wasi;
use crate::instance::admission;
use crate::instance::{Instance, instantiate};
use crate::link::LinkedPlugin;
use crate::plugin::Plugin;
use crate::plugin::trim;
use crate::schedule::budget::{NORMAL_BUDGET, Scheduler};
use crate::schedule::clock;
use crate::schedule::overruns::Overruns;
use crate::schedule::reaper;
use crate::schedule::run_queue;
use crate::schedule::ticker::ticker;
use crate::schedule::waker::Notify;
use crate::time_spent::{Awaited, Spent};

/// What a call needs next.
pub enum Step {
    /// Nothing: it has ended.
    Done(Finished),
    /// An answer to this request, then [`Call::resume`].
    Parked(Request),
    /// Another slice, on a dirty scheduler.
    SliceOver,
    /// To be left alone until it is woken (see [`Call::arm`]), at most for this time.
    Waiting(Option<Duration>),
}

/// What a call is to do.
pub(crate) enum Work {
    /// Call the export: the instance has its input.
    Ready {
        instance: Box<Instance>,
        stdin: Option<Bytes>,
        export: usize,
    },
    /// Make an instance first.
    Fresh {
        input: Vec<u8>,
        stdin: Option<Bytes>,
        export: usize,
    },
    /// Make an instance if there is none.
    Initialise(Option<Box<Instance>>),
}

/// What a guest that ran to its end leaves.
pub(crate) struct Ended {
    pub(crate) instance: Option<Box<Instance>>,
    pub(crate) result: Result<(), Box<Error>>,
    /// Whether the function returned, rather than trapped or exited.
    pub(crate) returned: bool,
}

type Running = Pin<Box<dyn Future<Output = Ended> + Send>>;

/// A call of a plugin. Dropping it before its end stops the guest and loses the instance; the
/// plugin's next call begins with a fresh one.
pub struct Call {
    plugin: Arc<Plugin>,
    /// Present until the call has ended.
    running: Option<Running>,
    /// Whether it makes an instance: then what its slices take is worth a look at the clock.
    fresh: bool,
    /// Whether it has a standard input of its own.
    own_stdin: bool,
    /// The time of the start, and whether that is what the clock shows at the first slice.
    started: u64,
    begins: bool,
    /// What it waits for, and since when.
    awaits: Option<(Awaited, u64)>,
    spent: Spent,
    normal_used: Duration,
    /// Whether it kept a normal scheduler for too long.
    overran: bool,
    slice: Duration,
}

impl Call {
    pub(crate) fn new(plugin: Arc<Plugin>, begun: u64, work: Work) -> Call {
        let fresh = !matches!(work, Work::Ready { .. });
        let own_stdin = matches!(
            work,
            Work::Ready { stdin: Some(_), .. } | Work::Fresh { stdin: Some(_), .. }
        );
        // The common case has a future of its own, which is small.
        let running: Running = match work {
            Work::Ready {
                instance,
                stdin,
                export,
            } => {
                if let Some(stdin) = stdin {
                    plugin.state.call_input.give(stdin);
                }
                Box::pin(call(instance, export))
            }
            work => Box::pin(prepare(
                Arc::clone(&plugin.linked),
                Arc::clone(&plugin.state),
                work,
            )),
        };
        Call {
            fresh,
            own_stdin,
            running: Some(running),
            plugin,
            started: begun,
            begins: true,
            awaits: None,
            spent: Spent::default(),
            normal_used: Duration::ZERO,
            overran: false,
            slice: Duration::ZERO,
        }
    }

    /// Runs the guest for a slice; `reply` answers the request it is parked on.
    pub fn resume(&mut self, scheduler: Scheduler, reply: Option<Reply>) -> Step {
        let control = &self.plugin.state.control;
        if let Some(reply) = reply {
            control.answer(reply);
        }
        let begin = if std::mem::take(&mut self.begins) {
            self.started
        } else {
            clock::now()
        };
        self.slice = Duration::ZERO;
        if let Some((awaited, since)) = self.awaits.take() {
            let took = begin.saturating_sub(since);
            let idle = awaited == Awaited::Wasi;
            self.spent.awaited(awaited, took);
            if idle {
                if let Err(stop) = control.check(begin) {
                    return self.abandon(stop);
                }
            } else {
                self.plugin.state.counters.in_host(took);
            }
        }
        let mut over = None;
        let budget = match scheduler {
            Scheduler::Dirty => run_queue::budget(),
            Scheduler::Normal => match self.normal_budget() {
                Some(budget) => budget,
                None => match self.over(begin) {
                    Some(stop) => {
                        over = Some(stop);
                        0
                    }
                    None => return Step::SliceOver,
                },
            },
        };
        control.begin_slice(scheduler, begin, budget);
        match self.poll() {
            Err(error) => self.finish(Ended {
                instance: None,
                result: Err(error.into()),
                returned: false,
            }),
            Ok((polled, mut took)) => {
                if self.fresh || scheduler == Scheduler::Dirty {
                    took = Duration::from_nanos(clock::now().saturating_sub(begin));
                }
                self.account(scheduler, took);
                match (polled, over) {
                    (Poll::Ready(ended), _) => self.finish(ended),
                    // It is not in the guest's code, and would first go on with what it is in.
                    (Poll::Pending, Some(stop)) => self.abandon(stop),
                    (Poll::Pending, None) => self.pending(),
                }
            }
        }
    }

    /// How long the last slice took, to about half a millisecond if no instance was made.
    pub fn last_slice(&self) -> Duration {
        self.slice
    }

    /// Whether what comes next may run on a normal scheduler.
    pub fn next_scheduler(&self) -> Scheduler {
        match self.normal_budget() {
            Some(_) => Scheduler::Normal,
            None => Scheduler::Dirty,
        }
    }

    /// Whether nothing is left to the call but to end, which it does within a moment, on any scheduler.
    pub fn is_over(&self) -> bool {
        self.over(clock::now()).is_some()
    }

    /// How long the call may wait for a dirty scheduler until [`Call::is_over`], if it ever is.
    pub fn patience(&self) -> Option<Duration> {
        self.time_left().filter(|_| self.ends_anywhere())
    }

    /// Before a wait for a dirty scheduler: asks for `notify` to be called when somebody cancels the call and it
    /// is over then. False if somebody has.
    pub fn on_cancel(&self, notify: Notify) -> bool {
        if !self.ends_anywhere() {
            return true;
        }
        let waker = &self.plugin.call_waker;
        waker.clear();
        waker.arm(notify) && !self.is_cancelled()
    }

    /// Whether a guest that is stopped is soon at an end: nothing long is on its way, and nothing of it is written.
    fn ends_anywhere(&self) -> bool {
        !self.plugin.only_dirty() && self.plugin.state.coredump.is_none()
    }

    fn over(&self, now: u64) -> Option<Stop> {
        let stop = self.plugin.state.control.check(now).err()?;
        self.ends_anywhere().then_some(stop)
    }

    /// After [`Step::Waiting`]: asks for `notify` to be called when the call can go on. False if
    /// it can already.
    pub fn arm(&self, notify: Notify) -> bool {
        self.plugin.call_waker.arm(notify)
    }

    /// What is left of the call's time, if that has a bound.
    pub fn time_left(&self) -> Option<Duration> {
        let deadline = self.plugin.state.control.deadline();
        (deadline != clock::NEVER)
            .then(|| Duration::from_nanos(deadline.saturating_sub(clock::now())))
    }

    /// Whether somebody has cancelled the call.
    pub fn is_cancelled(&self) -> bool {
        self.plugin.state.control.cancelled()
    }

    /// What is left of the call's time on normal schedulers, in nanoseconds.
    fn normal_budget(&self) -> Option<u64> {
        let left = NORMAL_BUDGET.saturating_sub(self.normal_used);
        let unmade = self.fresh && self.spent.running().is_zero();
        if unmade && !admission::is_short(&self.plugin.linked, &self.plugin.state) {
            return None;
        }
        let normal = !left.is_zero() && !self.plugin.only_dirty();
        normal.then_some(left.as_nanos() as u64)
    }

    fn poll(&mut self) -> Result<(Poll<Ended>, Duration), Error> {
        let plugin = &*self.plugin;
        let Some(running) = self.running.as_mut() else {
            return Err(Error::new(Reason::Busy, "the call has ended"));
        };
        let ticking = ticker()?.running();
        plugin.call_waker.clear();
        let mut context = Context::from_waker(&plugin.waker);
        let polled = wasi::enter(&plugin.state, || {
            loop {
                let polled = running.as_mut().poll(&mut context);
                let again = polled.is_pending()
                    && plugin.call_waker.woken()
                    && plugin.state.control.goes_on();
                if !again {
                    return polled;
                }
                plugin.call_waker.clear();
            }
        });
        Ok((polled, ticking.elapsed()))
    }

    fn account(&mut self, scheduler: Scheduler, took: Duration) {
        self.slice = took;
        if scheduler == Scheduler::Normal {
            self.normal_used += took;
        }
        let initialised = !self.fresh || self.plugin.state.control.is_initialised();
        self.spent.ran(took, initialised);
        self.overran |= Overruns::is_one(scheduler, took);
        self.plugin.state.counters.slice(took);
    }

    fn pending(&mut self) -> Step {
        let plugin = &*self.plugin;
        if let Some(request) = plugin.state.control.take_request() {
            let awaited = match &request {
                Request::HostFunction { index, .. } => {
                    plugin.state.counters.host_call();
                    Awaited::HostFunction(*index)
                }
                Request::Http(request) => Awaited::Http(request.url.clone()),
                Request::Log { .. } | Request::Print { .. } => Awaited::Log,
            };
            self.awaits = Some((awaited, clock::now()));
            return Step::Parked(request);
        }
        if plugin.call_waker.woken() {
            return Step::SliceOver;
        }
        self.awaits = Some((Awaited::Wasi, clock::now()));
        Step::Waiting(self.time_left())
    }

    /// Gives up a future that waits for something that may never come.
    fn abandon(&mut self, stop: Stop) -> Step {
        self.plugin.call_waker.clear();
        self.finish(Ended {
            instance: None,
            result: Err(Error::new(stop.reason(), stop.to_string()).into()),
            returned: false,
        })
    }

    fn forget_stdin(&self) {
        if self.own_stdin {
            self.plugin.state.call_input.forget();
        }
    }

    fn spent(&mut self) -> Spent {
        Spent {
            total: clock::now().saturating_sub(self.started),
            ..std::mem::take(&mut self.spent)
        }
    }

    fn reap(&self, running: Running) {
        if self.plugin.state.fuel.is_some() {
            // That counts its fuel, which is asked for next. Its store is dropped elsewhere all the same.
            return drop(running);
        }
        let backlog = self.plugin.main().backlog.clone();
        reaper::reap(running, Some(backlog));
    }

    fn finish(&mut self, mut ended: Ended) -> Step {
        self.forget_stdin();
        self.plugin
            .overruns
            .note(self.overran, self.spent.running());
        if let Err(error) = &mut ended.result {
            self.plugin.state.counters.error(error.reason);
            if error.reason == Reason::Timeout {
                error.spent = Some(Box::new(self.spent()));
            }
        }
        if let Some(running) = self.running.take()
            && ended.instance.is_none()
        {
            self.reap(running);
        }
        Step::Done(Finished {
            plugin: self.plugin.clone(),
            ended,
        })
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            // Unwinding the guest's fiber is no work for whoever collects garbage.
            self.reap(running);
            self.forget_stdin();
            self.plugin.state.counters.abandoned();
            self.plugin.put_back(None);
        }
    }
}

/// Makes an instance, and calls it if that is wanted.
async fn prepare(linked: Arc<LinkedPlugin>, plugin: Arc<PluginState>, work: Work) -> Ended {
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

async fn fresh(
    linked: Arc<LinkedPlugin>,
    plugin: &Arc<PluginState>,
    input: &[u8],
    stdin: Option<Bytes>,
) -> Result<Box<Instance>, Error> {
    let mut instance = instantiate(linked, plugin.clone()).await?;
    instance.begin_call(input)?;
    // Its initialisers read what each instance begins with: the call's is for its function.
    if let Some(stdin) = stdin {
        plugin.call_input.give(stdin);
    }
    Ok(instance)
}

async fn call(mut instance: Box<Instance>, export: usize) -> Ended {
    let (result, returned) = instance.call(export).await;
    Ended {
        instance: Some(instance),
        result: result.map_err(Box::new),
        returned,
    }
}

/// A call that has ended. Dropping it gives the instance back to the plugin.
pub struct Finished {
    plugin: Arc<Plugin>,
    ended: Ended,
}

impl Finished {
    /// The output, or what went wrong.
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
        self.plugin.put_back(instance);
    }
}
