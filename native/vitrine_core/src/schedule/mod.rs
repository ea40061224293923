//! Decides when guest code runs, and on which thread. Nothing here knows what that code is.
//!
//! Read `budget` first: it has the two kinds of schedulers, and how long a slice may take on each. `clock` and `ticker` measure
//! time and interrupt guests whose slice is over. `run_queue` has the permits for dirty schedulers and the queue for them.
//! `waker` notifies the embedder when a waiting call can continue. `instantiation` and `overruns` predict from the past whether
//! a normal scheduler will do. `workers` and `reaper` are threads for other work: compiling, and dropping what takes long to
//! drop.

pub(crate) mod budget;
pub(crate) mod clock;
pub(crate) mod instantiation;
pub(crate) mod overruns;
pub(crate) mod reaper;
pub(crate) mod run_queue;
mod short_slice;
pub(crate) mod ticker;
pub(crate) mod waker;
pub(crate) mod workers;
