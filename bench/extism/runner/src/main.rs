//! Asks the hosts for samples in turn, so that a machine that slows down slows all of them, and writes
//! the table, the raw numbers and the plots.

mod measure;
mod options;
mod plot;
mod process;
mod raw;
mod statistics;
mod table;
mod units;

use std::fs;

use anyhow::Result;

use measure::{Results, measure};
use options::{HELP, Options};
use process::Process;

/// The hosts, by the names of their programs.
pub const HOSTS: [&str; 4] = ["vitrine", "extism", "libextism", "memcpy"];
pub const VITRINE: usize = 0;
pub const EXTISM: usize = 1;
pub const LIBEXTISM: usize = 2;
pub const MEMCPY: usize = 3;

fn main() -> Result<()> {
    let Some(options) = Options::parse()? else {
        print!("{HELP}");
        return Ok(());
    };
    let mut processes = Vec::new();
    for host in HOSTS {
        let process = Process::start(host)?;
        match &process {
            Ok(process) => eprintln!("{host}: {}", process.says),
            Err(missing) => eprintln!("{host}: SKIPPED: {missing}"),
        }
        processes.push(process.ok());
    }
    let results = Results {
        hosts: processes
            .iter()
            .map(|process| process.as_ref().map(|process| process.says.clone()))
            .collect(),
        clock: options.clock,
        measured: cases::all()
            .into_iter()
            .filter(|case| options.wants(&case.name))
            .map(|case| measure(&mut processes, case, &options))
            .collect::<Result<_>>()?,
    };
    let table = table::table(&results, &options);
    print!("{table}");
    if let Some(out) = &options.out {
        fs::create_dir_all(out)?;
        fs::write(out.join("extism.md"), table)?;
        fs::write(out.join("extism.csv"), raw::csv(&results))?;
        plot::speed(&results, &out.join("extism-speed.svg"))?;
        plot::throughput(&results, &out.join("extism-throughput.svg"))?;
    }
    Ok(())
}
