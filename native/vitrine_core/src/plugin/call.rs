//! A call in progress, and the steps by which the embedder drives it. The guest's side of it is a future, see
//! [`super::work`], which owns the instance while the guest runs. Each [`Call::resume`] polls that future for one slice.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::finished::Finished;
use super::work::{self, Ended, Running, Work};
use crate::error::{Error, Reason, Stop};
use crate::host::protocol::{Reply, Request};
use crate::host::wasi;
use crate::instance::admission;
use crate::plugin::Plugin;
use crate::schedule::budget::{NORMAL_BUDGET, Scheduler};
use crate::schedule::clock;
use crate::schedule::overruns::Overruns;
use crate::schedule::reaper;
use crate::schedule::run_queue;
use crate::schedule::ticker::ticker;
use crate::schedule::waker::Notify;
use crate::time_spent::{Awaited, Spent};

/// The next thing that a call needs.
pub enum Step {
    /// Nothing: the call has ended.
    Done(Finished),
    /// An answer to this request, then [`Call::resume`].
    Parked(Request),
    /// Another slice, on a dirty scheduler.
    SliceOver,
    /// A wait until it is woken (see [`Call::arm`]), at most for this time.
    Waiting(Option<Duration>),
}

/// A call of a plugin. Dropping it before its end stops the guest and drops the instance. The plugin's next call then
/// begins with a fresh one.
pub struct Call {
    plugin: Arc<Plugin>,
    /// Present until the call has ended.
    running: Option<Running>,
    /// Whether the call may make an instance. If so, its slices are measured by the clock.
    fresh: bool,
    /// Whether the call has a standard input of its own.
    own_stdin: bool,
    /// The time of the start.
    started: u64,
    /// Whether the next slice is the first, which begins at the time of the start.
    begins: bool,
    /// The event that the call waits for, and the time since when it waits.
    awaits: Option<(Awaited, u64)>,
    spent: Spent,
    /// The time that the call has used on normal schedulers.
    normal_used: Duration,
    /// Whether the call has kept a normal scheduler for too long.
    overran: bool,
    /// How long the last slice took.
    slice: Duration,
}

impl Call {
    pub(crate) fn new(plugin: Arc<Plugin>, begun: u64, work: Work) -> Call {
        let fresh = !matches!(work, Work::Ready { .. });
        let own_stdin = matches!(
            work,
            Work::Ready { stdin: Some(_), .. } | Work::Fresh { stdin: Some(_), .. }
        );
        // The common case has a future of its own, because that is smaller.
        let running: Running = match work {
            Work::Ready {
                instance,
                stdin,
                export,
            } => {
                if let Some(stdin) = stdin {
                    plugin.state.call_input.give(stdin);
                }
                Box::pin(work::call(instance, export))
            }
            other => Box::pin(work::prepare(
                Arc::clone(&plugin.linked),
                Arc::clone(&plugin.state),
                other,
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

    /// Runs the guest for a slice. `reply` answers the request that the call is parked on.
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
            let idle = matches!(awaited, Awaited::Wasi | Awaited::Admission);
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
                    // The guest is in a host function, which would go on first.
                    (Poll::Pending, Some(stop)) => self.abandon(stop),
                    (Poll::Pending, None) => self.pending(),
                }
            }
        }
    }

    /// How long the last slice took. It is exact to about half a millisecond unless the call made an instance.
    pub fn last_slice(&self) -> Duration {
        self.slice
    }

    /// The scheduler that the next slice may run on.
    pub fn next_scheduler(&self) -> Scheduler {
        match self.normal_budget() {
            Some(_) => Scheduler::Normal,
            None => Scheduler::Dirty,
        }
    }

    /// Whether the call has been stopped and will end within a moment, on any scheduler.
    pub fn is_over(&self) -> bool {
        self.over(clock::now()).is_some()
    }

    /// How long the call may wait for a dirty scheduler until [`Call::is_over`], if that is bounded.
    pub fn patience(&self) -> Option<Duration> {
        self.time_left().filter(|_| self.ends_anywhere())
    }

    /// Before a wait for a dirty scheduler: asks for `notify` to be called when the call is cancelled and is over by
    /// that. Gives false if it already is.
    pub fn on_cancel(&self, notify: Notify) -> bool {
        if !self.ends_anywhere() {
            return true;
        }
        let waker = &self.plugin.call_waker;
        waker.clear();
        waker.arm(notify) && !self.is_cancelled()
    }

    /// Whether a guest that is stopped ends within a moment: it is not in a long instruction, and no coredump is written.
    fn ends_anywhere(&self) -> bool {
        !self.plugin.only_dirty() && self.plugin.state.coredump.is_none()
    }

    /// The reason that the call was stopped, if [`Call::is_over`].
    fn over(&self, now: u64) -> Option<Stop> {
        let stop = self.plugin.state.control.check(now).err()?;
        self.ends_anywhere().then_some(stop)
    }

    /// After [`Step::Waiting`]: asks for `notify` to be called when the call can go on. Gives false if it already can.
    pub fn arm(&self, notify: Notify) -> bool {
        self.plugin.call_waker.arm(notify)
    }

    /// How much of the call's time is left, if it has a timeout.
    pub fn time_left(&self) -> Option<Duration> {
        let deadline = self.plugin.state.control.deadline();
        (deadline != clock::NEVER)
            .then(|| Duration::from_nanos(deadline.saturating_sub(clock::now())))
    }

    /// Whether the call was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.plugin.state.control.cancelled()
    }

    /// How much of the call's time on normal schedulers is left, in nanoseconds. `None` if the next slice must run on a
    /// dirty scheduler.
    fn normal_budget(&self) -> Option<u64> {
        let left = NORMAL_BUDGET.saturating_sub(self.normal_used);
        let unmade = self.fresh && self.spent.running().is_zero();
        if unmade && !admission::is_short(&self.plugin.linked, &self.plugin.state) {
            return None;
        }
        let normal = !left.is_zero() && !self.plugin.only_dirty();
        normal.then_some(left.as_nanos() as u64)
    }

    /// Polls the future until it needs something from the embedder. Gives how long that took, by the ticker.
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

    /// Counts a slice.
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

    /// The step that the call needs, if the future is not ready.
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
        let awaited = match plugin.state.control.is_held_back() {
            true => Awaited::Admission,
            false => Awaited::Wasi,
        };
        self.awaits = Some((awaited, clock::now()));
        Step::Waiting(self.time_left())
    }

    /// Ends the call without polling its future again, which waits for something that may never come.
    fn abandon(&mut self, stop: Stop) -> Step {
        self.plugin.call_waker.clear();
        self.finish(Ended {
            instance: None,
            result: Err(Error::new(stop.reason(), stop.to_string()).into()),
            returned: false,
        })
    }

    /// Drops what the guest has not read of the call's own standard input.
    fn drop_stdin(&self) {
        if self.own_stdin {
            self.plugin.state.call_input.forget();
        }
    }

    /// The time that the call has taken, by what it was spent on.
    fn spent(&mut self) -> Spent {
        Spent {
            total: clock::now().saturating_sub(self.started),
            ..std::mem::take(&mut self.spent)
        }
    }

    /// Drops the future of a guest that did not run to its end, mostly on the reaper's thread.
    fn reap(&self, running: Running) {
        if self.plugin.state.fuel.is_some() {
            // Dropping it counts its fuel, which the embedder asks for next. The reaper drops its store all the same.
            return drop(running);
        }
        let backlog = self.plugin.main().backlog.clone();
        reaper::reap(running, Some(backlog));
    }

    /// Ends the call.
    fn finish(&mut self, mut ended: Ended) -> Step {
        self.drop_stdin();
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
        Step::Done(Finished::new(self.plugin.clone(), ended))
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            // Unwinding the guest's fiber takes too long for a scheduler that collects garbage.
            self.reap(running);
            self.drop_stdin();
            self.plugin.state.counters.abandoned();
            self.plugin.return_instance(None);
        }
    }
}
