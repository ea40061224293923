//! The binary format of a module that was given as bytes or as text, and the errors of bytes that are not a module.

use std::borrow::Cow;

use vitrine_rewrite::{compile_cost, features};

use super::options::MAX_MODULE_SIZE;
use crate::error::{Error, Reason};
use crate::text;

/// The module in the binary format. A text is parsed.
pub(crate) fn binary(bytes: &[u8]) -> Result<Cow<'_, [u8]>, Error> {
    match bytes {
        _ if bytes.len() > MAX_MODULE_SIZE => Err(invalid(format!(
            "it has {} bytes; the limit is {MAX_MODULE_SIZE} bytes",
            bytes.len()
        ))),
        [] => Err(invalid("there are no bytes")),
        [0, b'a', b's', b'm', _, _, 1, 0, ..] => Err(invalid(
            "expected a WebAssembly module but was given a WebAssembly component",
        )),
        [0, b'a', b's', b'm', ..] => Ok(Cow::Borrowed(bytes)),
        _ => {
            if let Ok(text) = std::str::from_utf8(bytes) {
                compile_cost::text::check(text)?;
            }
            wat::parse_bytes(bytes).map_err(|e| invalid(in_one_line(&e.to_string())))
        }
    }
}

/// The problem of a text and its place, without the excerpt of the text that follows them.
fn in_one_line(error: &str) -> String {
    let mut lines = error.lines();
    let what = lines.next().unwrap_or_default();
    let place = lines.find_map(|line| line.trim_start().strip_prefix("--> <anon>:"));
    match place.and_then(|place| place.split_once(':')) {
        Some((line, column)) => format!("{what} (line {line}, column {column})"),
        None => what.to_owned(),
    }
}

/// The error of a module that cannot be compiled.
pub(crate) fn invalid(why: impl std::fmt::Display) -> Error {
    let why = why.to_string();
    let why = features::advice(&why).unwrap_or(why);
    let why = format!("the module cannot be compiled: {why}");
    Error::new(Reason::Compile, text::shown(why.as_bytes(), text::MESSAGE))
}

impl From<vitrine_rewrite::Error> for Error {
    fn from(error: vitrine_rewrite::Error) -> Error {
        match error {
            vitrine_rewrite::Error::Invalid(why) | vitrine_rewrite::Error::TooExpensive(why) => {
                invalid(why)
            }
            vitrine_rewrite::Error::CannotSnapshot(why) => no_snapshot(why),
        }
    }
}

/// The error of a plugin of which no snapshot can be taken.
pub(crate) fn no_snapshot(why: impl std::fmt::Display) -> Error {
    Error::new(
        Reason::Snapshot,
        format!("no snapshot can be taken of the plugin: {why}"),
    )
}
