//! Takes the samples of a case.

use anyhow::Result;
use cases::{Case, Sample};

use crate::options::{Clock, Options};
use crate::process::Process;
use crate::statistics::Summary;

pub struct Results {
    /// The hosts' descriptions of themselves; `None` for a host that is not here.
    pub hosts: Vec<Option<String>>,
    /// The time that is compared.
    pub clock: Clock,
    pub measured: Vec<Measured>,
}

/// A case with what was measured.
pub struct Measured {
    pub case: Case,
    clock: Clock,
    /// Of each host; `None` where it has no such thing.
    pub series: Vec<Option<Series>>,
}

/// The samples of one host.
pub struct Series {
    /// Runs of the case in each sample.
    pub runs: u64,
    pub samples: Vec<Sample>,
}

impl Measured {
    /// Nanoseconds of one of what the case does, by the clock that counts.
    pub fn time(&self, host: usize) -> Option<Summary> {
        self.time_by(self.clock, host)
    }

    /// The same, by either clock.
    pub fn time_by(&self, clock: Clock, host: usize) -> Option<Summary> {
        let series = self.series.get(host)?.as_ref()?;
        let each = series.runs as f64 * f64::from(self.case.per_run);
        let times = series.samples.iter().map(|sample| match clock {
            Clock::Wall => sample.wall,
            Clock::Processor => sample.cpu,
        });
        Some(Summary::of(times.map(|time| time as f64 / each).collect()))
    }

    /// How many times as fast one host is as another.
    pub fn speed(&self, host: usize, other: usize) -> Option<f64> {
        Some(self.time(other)?.median / self.time(host)?.median)
    }
}

/// Samples of all hosts, in turn.
pub fn measure(
    processes: &mut [Option<Process>],
    case: Case,
    options: &Options,
) -> Result<Measured> {
    eprint!("{:40}\r", case.name);
    let mut series = Vec::new();
    for process in processes.iter_mut() {
        series.push(match process {
            Some(process) => prepare(process, &case.name, options)?,
            None => None,
        });
    }
    let hosts = processes.len();
    for round in 0..options.rounds {
        for turn in 0..hosts {
            // Nobody always comes after the same one.
            let host = (round + turn) % hosts;
            if let (Some(process), Some(series)) = (&mut processes[host], &mut series[host]) {
                series
                    .samples
                    .extend(process.sample(&case.name, series.runs)?);
            }
        }
    }
    Ok(Measured {
        case,
        clock: options.clock,
        series,
    })
}

/// Finds how many runs take long enough for a sample, which also warms everything up.
fn prepare(process: &mut Process, case: &str, options: &Options) -> Result<Option<Series>> {
    let wanted = options.sample.as_nanos() as f64;
    let mut runs = 1;
    loop {
        let Some(sample) = process.sample(case, runs)? else {
            return Ok(None);
        };
        let took = sample.wall.max(1) as f64;
        if took >= 0.8 * wanted {
            return Ok(Some(Series {
                runs,
                samples: Vec::new(),
            }));
        }
        // A first run takes longer than others: from one, ten times as many at most.
        runs = (runs as f64 * (wanted / took).clamp(1.5, 10.0)).ceil() as u64;
    }
}
