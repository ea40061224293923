//! The raw numbers: each sample, as comma-separated values.

use std::fmt::Write;

use crate::HOSTS;
use crate::measure::Results;

/// A line for each sample.
pub fn csv(results: &Results) -> String {
    let mut out = String::from("case,host,sample,runs,of each run,wall ns,cpu ns\n");
    for measured in &results.measured {
        for (host, series) in HOSTS.iter().zip(&measured.series) {
            let Some(series) = series else { continue };
            for (number, sample) in series.samples.iter().enumerate() {
                // Names have commas, and no quotes.
                let _ = writeln!(
                    out,
                    "\"{}\",{host},{number},{},{},{},{}",
                    measured.case.name, series.runs, measured.case.per_run, sample.wall, sample.cpu
                );
            }
        }
    }
    out
}
