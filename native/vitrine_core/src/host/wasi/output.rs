//! The output of a plugin: it is dropped, captured, or told to the embedder line by line.

use std::sync::Arc;

use parking_lot::Mutex;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::pipe::MemoryOutputPipe;
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

use crate::error::Stop;
use crate::host::plugin_state::PluginState;
use crate::host::protocol::{Request, Stream};
use crate::text;

/// The destination of a plugin's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Output {
    /// Nowhere.
    #[default]
    Drop,
    /// To the embedder, by [`Request::Print`].
    Tell,
    /// To a buffer, until it is taken by [`crate::Plugin::take_printed`].
    Capture,
}

/// A longer line is told in pieces. Elixir's Logger cuts a message after about 8 000 bytes, including what the embedder writes
/// before the line.
const LONGEST_LINE: usize = 4 * 1024;

/// The most lines that are told at once. Each is an event of its own if it is logged. After so many lines, it is checked whether
/// the call's time is over.
const LINES: usize = 64;

/// The most bytes that are captured of one stream. Further bytes are dropped.
const MAX_CAPTURED: usize = 1 << 20;

/// The most bytes that may be written at once.
const PERMIT: usize = 64 * 1024;

/// Captured output, by stream.
#[derive(Default)]
pub(crate) struct Captured(Mutex<[Vec<u8>; 2]>);

impl Captured {
    fn add(&self, stream: Stream, bytes: &[u8]) {
        let kept = &mut self.0.lock()[stream as usize];
        let room = MAX_CAPTURED - kept.len();
        kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    pub(crate) fn take(&self) -> [Vec<u8>; 2] {
        std::mem::take(&mut *self.0.lock())
    }
}

/// A standard stream of an instance.
#[derive(Clone)]
pub(crate) struct Printer {
    plugin: Arc<PluginState>,
    stream: Stream,
    output: Output,
    /// The beginning of a line that has not ended yet.
    begun: Arc<Mutex<Vec<u8>>>,
}

impl Printer {
    pub(crate) fn new(plugin: Arc<PluginState>, stream: Stream, output: Output) -> Printer {
        Printer {
            plugin,
            stream,
            output,
            begun: Arc::default(),
        }
    }

    /// Takes the bytes in, and returns those that are to be told now.
    fn take_in(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        if self.stream == Stream::Stderr {
            self.plugin.last_words.add(bytes);
        }
        match self.output {
            Output::Drop => None,
            Output::Capture => {
                self.plugin.captured.add(self.stream, bytes);
                None
            }
            Output::Tell => {
                let mut begun = self.begun.lock();
                begun.extend_from_slice(bytes);
                let last = begun.iter().rposition(|byte| *byte == b'\n');
                let mut end = last.map_or(0, |last| last + 1);
                // Of a line that has not ended, only full pieces are told: the line may end with the next bytes.
                while begun.len() - end > LONGEST_LINE {
                    end += LONGEST_LINE - text::half_character(&begun[end..end + LONGEST_LINE]);
                }
                if end == 0 {
                    return None;
                }
                let rest = begun.split_off(end);
                Some(std::mem::replace(&mut *begun, rest))
            }
        }
    }

    async fn tell(&self, mut text: Vec<u8>) -> Result<(), Stop> {
        let stream = self.stream;
        loop {
            let rest = text.split_off(end_of_piece(&text));
            let request = Request::Print {
                stream,
                text: text::valid(text),
            };
            self.plugin.control.ask(request).await?;
            if rest.is_empty() {
                return Ok(());
            }
            text = rest;
        }
    }

    /// Tells the beginning of a line that the guest did not end.
    pub(crate) async fn flush(&self) {
        let rest = std::mem::take(&mut *self.begun.lock());
        if !rest.is_empty() {
            // It fails only for a call whose time is over, which has ended in any case.
            let _ = self.tell(rest).await;
        }
    }
}

/// The number of bytes that are told at once: some lines, or a piece of the first line.
fn end_of_piece(text: &[u8]) -> usize {
    let mut end = 0;
    for line in text.split_inclusive(|byte| *byte == b'\n').take(LINES) {
        let length = line.len() - usize::from(line.ends_with(b"\n"));
        if length <= LONGEST_LINE {
            end += line.len();
        } else if end > 0 {
            break;
        } else {
            return LONGEST_LINE - text::half_character(&line[..LONGEST_LINE]);
        }
    }
    end
}

impl IsTerminal for Printer {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Printer {
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        // Preview 1 only asks for the other kind of stream.
        Box::new(MemoryOutputPipe::new(0))
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl Pollable for Printer {
    async fn ready(&mut self) {}
}

#[async_trait]
impl OutputStream for Printer {
    fn write(&mut self, bytes: bytes::Bytes) -> StreamResult<()> {
        // Complete lines are put back and told at the next blocking write. Preview 1 only makes blocking writes.
        if let Some(text) = self.take_in(&bytes) {
            self.begun.lock().splice(0..0, text);
        }
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(PERMIT)
    }

    async fn blocking_write_and_flush(&mut self, bytes: bytes::Bytes) -> StreamResult<()> {
        if let Some(text) = self.take_in(&bytes) {
            let told = self.tell(text).await;
            told.map_err(|stop| StreamError::Trap(stop.into()))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_most_64_lines_are_told_at_once() {
        let lines = "x\n".repeat(LINES);
        for rest in ["", "y", "y\nz\n"] {
            let text = format!("{lines}{rest}");
            assert_eq!(end_of_piece(text.as_bytes()), lines.len(), "{rest:?}");
        }
        for text in ["", "x", "x\n", "x\ny", &lines[2..]] {
            assert_eq!(end_of_piece(text.as_bytes()), text.len(), "{text:?}");
        }
    }

    #[test]
    fn long_line_is_told_in_pieces_that_end_between_characters() {
        let long = "é".repeat(LONGEST_LINE);
        for shift in [0, 1] {
            let text = format!("{}{long}", "x".repeat(shift));
            assert_eq!(end_of_piece(text.as_bytes()), LONGEST_LINE - shift);
        }
        // The lines before the long one are told first.
        assert_eq!(end_of_piece(format!("a\nb\n{long}").as_bytes()), 4);
        let fits = "x".repeat(LONGEST_LINE);
        assert_eq!(end_of_piece(fits.as_bytes()), LONGEST_LINE);
    }
}
