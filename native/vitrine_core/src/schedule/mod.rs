//! When guest code runs, and on which thread: the clock, the ticker that interrupts guests, the budget of a slice, the
//! permits for dirty schedulers, and the threads for what is not guest code.
//!
//! Nothing here knows what runs.

pub(crate) mod budget;
pub(crate) mod clock;
pub(crate) mod instantiation;
pub(crate) mod overruns;
pub(crate) mod reaper;
pub(crate) mod run_queue;
pub(crate) mod ticker;
pub(crate) mod waker;
pub(crate) mod workers;
