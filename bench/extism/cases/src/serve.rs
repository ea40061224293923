//! The loop of a process that has a host.

use std::io::{BufRead, Write, stdin, stdout};

use anyhow::{Context, Result};

use crate::case::{self, Case};
use crate::protocol::{Hello, Reply, Request};
use crate::run::Prepared;

/// Says `hello`, then answers requests until there are none. `prepare` makes a case ready to be run;
/// `None` if the host has no such thing. The last one stays ready until another is asked for.
pub fn serve<'a>(
    hello: &Hello,
    prepare: impl Fn(&Case) -> Result<Option<Prepared<'a>>>,
) -> Result<()> {
    say(hello)?;
    let cases = case::all();
    let mut ready: Option<(String, Option<Prepared<'a>>)> = None;
    for line in stdin().lock().lines() {
        let request: Request = serde_json::from_str(&line?)?;
        if ready.as_ref().is_none_or(|(name, _)| *name != request.case) {
            // Before the next one is made.
            drop(ready.take());
            let case = cases.iter().find(|case| case.name == request.case);
            let case = case.with_context(|| format!("there is no case {:?}", request.case))?;
            match prepare(case) {
                Ok(prepared) => ready = Some((request.case, prepared)),
                Err(error) => {
                    say(&Reply::Failed(format!("{error:#}")))?;
                    continue;
                }
            }
        }
        let reply = match ready.as_mut() {
            Some((_, Some(run))) => match run(request.runs) {
                Ok(sample) => Reply::Sample(sample),
                Err(error) => Reply::Failed(format!("{error:#}")),
            },
            _ => Reply::Unsupported,
        };
        say(&reply)?;
    }
    Ok(())
}

fn say(what: &impl serde::Serialize) -> Result<()> {
    let mut out = stdout().lock();
    serde_json::to_writer(&mut out, what)?;
    writeln!(out)?;
    out.flush()?;
    Ok(())
}
