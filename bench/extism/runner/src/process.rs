//! A process that has a host.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};
use cases::{Hello, Reply, Request, Sample};
use serde::de::DeserializeOwned;

pub struct Process {
    child: Child,
    /// Closed to end it.
    requests: Option<ChildStdin>,
    replies: BufReader<ChildStdout>,
    /// The host's description of itself.
    pub says: String,
}

impl Process {
    /// Starts the program for a host, which is beside this one. The inner error is why the host
    /// cannot be had here.
    pub fn start(host: &str) -> Result<Result<Process, String>> {
        let program = std::env::current_exe()?.with_file_name(format!("{host}-bench"));
        let mut child = Command::new(&program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let (Some(requests), Some(replies)) = (child.stdin.take(), child.stdout.take()) else {
            bail!("there are no pipes to {host}");
        };
        let mut process = Process {
            child,
            requests: Some(requests),
            replies: BufReader::new(replies),
            says: String::new(),
        };
        Ok(match process.read()? {
            Hello::Ready(says) => {
                process.says = says;
                Ok(process)
            }
            Hello::Missing(why) => Err(why),
        })
    }

    /// The time of so many runs of a case. `None` if the host has no such thing.
    pub fn sample(&mut self, case: &str, runs: u64) -> Result<Option<Sample>> {
        let request = Request {
            case: case.into(),
            runs,
        };
        if let Some(requests) = &mut self.requests {
            serde_json::to_writer(&mut *requests, &request)?;
            writeln!(requests)?;
        }
        match self.read()? {
            Reply::Sample(sample) => Ok(Some(sample)),
            Reply::Unsupported => Ok(None),
            Reply::Failed(error) => bail!("{case} on {}: {error}", self.says),
        }
    }

    fn read<T: DeserializeOwned>(&mut self) -> Result<T> {
        let mut line = String::new();
        if self.replies.read_line(&mut line)? == 0 {
            bail!("the process of {:?} ended", self.says);
        }
        Ok(serde_json::from_str(&line)?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.requests.take());
        // It ends when there are no more requests, and tidies up before.
        let _ = self.child.wait();
    }
}
