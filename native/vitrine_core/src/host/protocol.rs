//! The protocol between a parked guest and its embedder: requests and replies.

use crate::value::Value;

/// More bytes than this are not copied on a normal scheduler.
pub const LARGE: usize = 256 * 1024;

/// The request of a parked guest to the embedder.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// Call the host function at this index of the plugin's list.
    HostFunction {
        /// The index in the list given to [`crate::LinkedPlugin::new`].
        index: usize,
        /// The arguments, of the types the function declares.
        args: Vec<Value>,
        /// How many results the import has.
        results: usize,
    },
    /// Log a line.
    Log {
        /// Its level.
        level: LogLevel,
        /// Its text in UTF-8, with U+FFFD for bytes that are not UTF-8.
        message: Vec<u8>,
    },
    /// Take text that the plugin printed: whole lines, if they are not too long.
    Print {
        /// The stream on which it was printed.
        stream: Stream,
        /// The text in UTF-8, with U+FFFD for bytes that are not UTF-8.
        text: Vec<u8>,
    },
    /// Make an HTTP request.
    Http(HttpRequest),
}

/// The embedder's answer to a [`Request`].
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// The results, of the types that the function declares. After a log line and printed text there are none. Bytes that are
    /// in the guest's memory already may be given by their handle, an i64.
    Values(Vec<Value>),
    /// The response to an HTTP request.
    Http(HttpResponse),
    /// The host function failed in a way that the guest is to see: this text becomes the kernel's error, and the results are
    /// zero. For an HTTP request, the text is the reason why it failed, and the call ends.
    Error(Vec<u8>),
    /// An HTTP request took all the time that the call had.
    Timeout,
    /// The host function broke: the guest traps.
    Failed,
}

/// An HTTP request as the guest wrote it. Nothing of it is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// The method, in upper case.
    pub method: String,
    /// The URL, as the guest wrote it.
    pub url: String,
    /// Names and values, as the guest wrote them.
    pub headers: Vec<(String, String)>,
    /// The body, if there is one.
    pub body: Option<Vec<u8>>,
}

/// The response to an HTTP request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HttpResponse {
    /// The status code.
    pub status: u16,
    /// Names and values, in the order in which they came.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// The whole body.
    pub body: Vec<u8>,
}

/// The level at which nothing is logged.
pub const LOG_OFF: i32 = i32::MAX;

/// The level of a log line, as the ABI numbers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum LogLevel {
    Trace = 0,
    Debug = 1,
    Info = 2,
    Warn = 3,
    Error = 4,
}

/// One of the two standard streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// The standard output.
    Stdout,
    /// The standard error.
    Stderr,
}
