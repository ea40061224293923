//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};

pub const HELP: &str = "\
Measures Vitrine's core beside Extism.

  --only TEXT      the cases that have it in their name; can be repeated
  --rounds N       samples of each case on each host (15)
  --processor      compare the processor time of each host, all its threads together, rather than the
                   time on the wall: where other work keeps the machine busy
  --sample MS      how long a sample takes at least, in milliseconds (50)
  --out DIRECTORY  write extism.md, extism.csv and the plots there, not only the table to the terminal
";

/// The time that is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    Wall,
    Processor,
}

pub struct Options {
    only: Vec<String>,
    pub rounds: usize,
    pub sample: Duration,
    pub clock: Clock,
    pub out: Option<PathBuf>,
}

impl Options {
    /// `None` if help is wanted.
    pub fn parse() -> Result<Option<Options>> {
        let mut arguments = pico_args::Arguments::from_env();
        if arguments.contains(["-h", "--help"]) {
            return Ok(None);
        }
        let sample: Option<u64> = arguments.opt_value_from_str("--sample")?;
        let options = Options {
            only: arguments.values_from_str("--only")?,
            rounds: arguments.opt_value_from_str("--rounds")?.unwrap_or(15),
            clock: match arguments.contains("--processor") {
                true => Clock::Processor,
                false => Clock::Wall,
            },
            sample: Duration::from_millis(sample.unwrap_or(50)),
            out: arguments.opt_value_from_str("--out")?,
        };
        let rest = arguments.finish();
        ensure!(rest.is_empty(), "unknown arguments: {rest:?}\n\n{HELP}");
        ensure!(options.rounds > 0, "--rounds must be at least 1");
        Ok(Some(options))
    }

    /// Whether a case is to be measured.
    pub fn wants(&self, case: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|text| case.contains(text.as_str()))
    }
}
