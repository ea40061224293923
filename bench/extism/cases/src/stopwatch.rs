//! Wall-clock time, and beside it the processor time of the whole process: a host that leaves work
//! to threads of its own pays for it there.

use std::time::Instant;

use cpu_time::ProcessTime;
use serde::{Deserialize, Serialize};

/// The time that some runs of a case took together, in nanoseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// By the clock on the wall.
    pub wall: u64,
    /// Of all threads of the process.
    pub cpu: u64,
}

/// Adds up the times of what it is given to run.
#[derive(Debug, Default)]
pub struct Stopwatch {
    sample: Sample,
}

impl Stopwatch {
    /// Runs `work` and counts its time.
    pub fn time<R>(&mut self, work: impl FnOnce() -> R) -> R {
        let (cpu, wall) = (ProcessTime::now(), Instant::now());
        let result = work();
        self.sample.wall += wall.elapsed().as_nanos() as u64;
        self.sample.cpu += cpu.elapsed().as_nanos() as u64;
        result
    }

    /// Returns the sample of the runs that were counted.
    pub fn sample(&self) -> Sample {
        self.sample
    }
}
