//! The last text that a guest wrote in a call, to its standard error or as an error to the log. This is the only place where the
//! text of a panic is found: the trap that follows does not have it.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use parking_lot::Mutex;

/// The most bytes that are kept. Some runtimes print their stack after the text.
const KEPT: usize = 8 * 1024;

/// The beginnings of a panic in Rust and in Go.
const PANICS: [&str; 2] = ["panicked at ", "panic: "];

/// The lines that Rust prints after the text of a panic.
const NOTES: [&str; 2] = ["note: run with `RUST_BACKTRACE", "stack backtrace:"];

#[derive(Default)]
pub(crate) struct LastWords {
    text: Mutex<Vec<u8>>,
    /// Whether there is any text, which is rare.
    any: AtomicBool,
}

impl LastWords {
    /// Drops the text, before a call.
    pub(crate) fn forget(&self) {
        if self.any.load(Relaxed) {
            self.any.store(false, Relaxed);
            self.text.lock().clear();
        }
    }

    pub(crate) fn add(&self, bytes: &[u8]) {
        let mut text = self.text.lock();
        self.any.store(true, Relaxed);
        let bytes = &bytes[bytes.len().saturating_sub(KEPT)..];
        let excess = (text.len() + bytes.len()).saturating_sub(KEPT);
        text.drain(..excess);
        text.extend_from_slice(bytes);
    }

    /// Adds a line that has no line feed.
    pub(crate) fn add_line(&self, line: &[u8]) {
        self.add(line);
        self.add(b"\n");
    }

    /// The text of the last panic on one line, or else the last line.
    pub(crate) fn take(&self) -> Option<String> {
        if !self.any.load(Relaxed) {
            return None;
        }
        let text = std::mem::take(&mut *self.text.lock());
        told(&String::from_utf8_lossy(&text))
    }
}

fn told(text: &str) -> Option<String> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let is_panic = |line: &&str| PANICS.iter().any(|begin| line.contains(begin));
    let Some(panic) = lines.iter().rposition(is_panic) else {
        let last = lines.into_iter().rev().find(|line| !line.is_empty());
        return last.map(str::to_owned);
    };
    let is_end =
        |line: &&&str| !line.is_empty() && !NOTES.iter().any(|note| line.starts_with(note));
    let lines: Vec<&str> = lines[panic..].iter().take_while(is_end).copied().collect();
    Some(lines.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(pieces: &[&str]) -> Option<String> {
        let words = LastWords::default();
        pieces.iter().for_each(|piece| words.add(piece.as_bytes()));
        words.take()
    }

    #[test]
    fn panic_in_rust_is_reported_with_its_place_and_text() {
        let pieces = [
            "loading\n",
            "\nthread 'main' (1) panicked at src/lib.rs:10:5:\nat the plugin's request\n",
            "and more\nnote: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\n",
        ];
        let told =
            "thread 'main' (1) panicked at src/lib.rs:10:5: at the plugin's request and more";
        assert_eq!(said(&pieces).as_deref(), Some(told));
    }

    #[test]
    fn panic_in_go_is_reported_without_its_stack() {
        let pieces = ["panic: no such user\n\ngoroutine 1 [running]:\nmain.main()\n"];
        assert_eq!(said(&pieces).as_deref(), Some("panic: no such user"));
    }

    #[test]
    fn last_line_that_is_not_empty_is_reported_without_a_panic() {
        let pieces = ["one\n", "Assertion failed: x (plugin.c: f: 3)\n\n"];
        assert_eq!(
            said(&pieces).as_deref(),
            Some("Assertion failed: x (plugin.c: f: 3)")
        );
        assert_eq!(said(&[]), None);
        assert_eq!(said(&["\n \n"]), None);
    }

    #[test]
    fn text_from_before_the_call_is_dropped_and_only_the_end_of_long_text_is_kept() {
        let words = LastWords::default();
        words.add(b"before");
        words.forget();
        assert_eq!(words.take(), None);
        words.add(&[b'x'; 3 * KEPT]);
        words.add(b"\nend\n");
        assert_eq!(words.text.lock().len(), KEPT);
        assert_eq!(words.take().as_deref(), Some("end"));
    }
}
