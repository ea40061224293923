//! The cases: those of upstream's `runtime/benches/bench.rs` with guests of our own, and what those
//! leave out: small calls, host functions, a fresh instance with its first call, its end.

use crate::guest::Guest;

/// Bytes that go into a plugin or come out of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bytes {
    /// These.
    These(&'static [u8]),
    /// So many letters `a`, made when they are needed.
    Letters(usize),
}

impl Bytes {
    /// The bytes themselves.
    pub fn to_vec(self) -> Vec<u8> {
        match self {
            Bytes::These(bytes) => bytes.to_vec(),
            Bytes::Letters(length) => vec![b'a'; length],
        }
    }
}

/// The work of a run of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// A call of a plugin that was called before.
    Call {
        /// The guest.
        guest: Guest,
        /// Another that is linked to it in the place of the host functions.
        library: Option<Guest>,
        /// The export.
        function: &'static str,
        /// The input.
        input: Bytes,
        /// The expected output.
        output: Bytes,
    },
    /// Compiles the plugin; `plugin` makes a plugin from that, `call` calls it.
    Create {
        /// Whether native code is found on disk; if not, the module is new to the host.
        cached: bool,
        /// Whether a plugin is made.
        plugin: bool,
        /// Whether it is called.
        call: bool,
    },
    /// Makes a plugin from what is compiled, and drops it.
    Plugin,
    /// Makes a plugin whose guest is instantiated, if the host can do that without a call, and drops
    /// it.
    Instance,
    /// Makes a plugin, calls it and drops it.
    FirstCall,
    /// Drops a plugin that was called: until whoever drops it can go on.
    Drop,
}

/// The subject of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// How many bytes a second go through a call.
    Throughput,
    /// The cost of a small call.
    Calls,
    /// The cost of making plugins and dropping them.
    Life,
}

/// A case.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// Its name.
    pub name: String,
    /// The subject of the case.
    pub group: Group,
    /// The work of a run.
    pub work: Work,
    /// The bytes that are passed.
    pub payload: usize,
    /// How often each of them is moved from one place to another, the guest being what it is.
    pub moves: u32,
    /// How many of what is named are done in one run.
    pub per_run: u32,
    /// How many times the speed of the `extism` crate Vitrine is to have.
    pub bound: Option<f64>,
}

/// All cases, in the order of the table.
pub fn all() -> Vec<Case> {
    [throughput(), calls(), lives()].concat()
}

const NOTHING: Bytes = Bytes::These(b"");
const HI: Bytes = Bytes::These(b"hi");

const SIZES: [(&str, usize); 3] = [
    ("64 KiB", 65_536),
    ("640 KiB", 655_360),
    ("6.4 MiB", 6_553_600),
];

/// A guest's export whose time goes into moving the input.
struct Stream {
    name: &'static str,
    guest: Guest,
    library: Option<Guest>,
    function: &'static str,
    /// Whether the output is the input.
    echoes: bool,
    moves: u32,
    bound: Option<f64>,
}

const CONSUME: Stream = Stream {
    name: "consume",
    guest: Guest::Consume,
    library: None,
    function: "consume",
    echoes: false,
    // Into the kernel's memory, and into the guest's.
    moves: 2,
    bound: Some(3.0),
};

const ECHO: Stream = Stream {
    name: "echo",
    guest: Guest::Echo,
    function: "echo",
    echoes: true,
    // And into the output, which a host can show where it is.
    moves: 3,
    ..CONSUME
};

const STREAMS: [Stream; 5] = [
    CONSUME,
    ECHO,
    Stream {
        name: "echo with Rust's PDK",
        guest: Guest::Plugin,
        bound: None,
        ..ECHO
    },
    Stream {
        name: "reflect",
        guest: Guest::Plugin,
        function: "reflect",
        // As with echo, but that block goes to the host's function, what comes from there is
        // another block, and that goes through the guest once more.
        moves: 7,
        ..ECHO
    },
    Stream {
        name: "reflect, linked",
        guest: Guest::Plugin,
        library: Some(Guest::ReflectLibrary),
        function: "reflect",
        // The library puts each word back in its place.
        moves: 6,
        bound: None,
        ..ECHO
    },
];

fn throughput() -> Vec<Case> {
    let case = |stream: &Stream, size, length| {
        let input = Bytes::Letters(length);
        Case {
            name: format!("{}, {size}", stream.name),
            group: Group::Throughput,
            work: Work::Call {
                guest: stream.guest,
                library: stream.library,
                function: stream.function,
                output: match stream.echoes {
                    true => input,
                    false => NOTHING,
                },
                input,
            },
            payload: length,
            moves: stream.moves,
            per_run: 1,
            bound: stream.bound,
        }
    };
    STREAMS
        .iter()
        .flat_map(|stream| SIZES.map(|(size, length)| case(stream, size, length)))
        .collect()
}

/// A case whose payload does not matter.
fn case(name: &str, group: Group, work: Work) -> Case {
    Case {
        name: name.into(),
        group,
        work,
        payload: 0,
        moves: 0,
        per_run: 1,
        bound: None,
    }
}

fn calls() -> Vec<Case> {
    let call = |name: &str, guest, function, input, output| {
        let work = Work::Call {
            guest,
            library: None,
            function,
            input,
            output: Bytes::These(output),
        };
        case(name, Group::Calls, work)
    };
    vec![
        Case {
            bound: Some(10.0),
            ..call("call, 2 bytes", Guest::Echo, "echo", HI, b"hi")
        },
        call(
            "call, 2 bytes, Rust's PDK",
            Guest::Plugin,
            "echo",
            HI,
            b"hi",
        ),
        Case {
            per_run: 100,
            ..call(
                "host function, a number",
                Guest::HostFunctions,
                "numbers",
                NOTHING,
                &[100],
            )
        },
        Case {
            per_run: 100,
            ..call(
                "host function, 2 bytes",
                Guest::HostFunctions,
                "bytes",
                NOTHING,
                &[100],
            )
        },
        call(
            "count_vowels, 4096 bytes",
            Guest::Plugin,
            "count_vowels",
            Bytes::Letters(4096),
            br#"{"count":4096}"#,
        ),
        Case {
            bound: Some(100.0),
            ..call(
                "allocations, 10 000",
                Guest::Allocations,
                "allocations",
                NOTHING,
                &const { 10_000u64.to_le_bytes() },
            )
        },
    ]
}

fn lives() -> Vec<Case> {
    let life = |name, work| case(name, Group::Life, work);
    let create = |name, cached, plugin, call| {
        let work = Work::Create {
            cached,
            plugin,
            call,
        };
        case(name, Group::Life, work)
    };
    vec![
        create("compile and link, from disk", true, false, false),
        create("plugin, from disk", true, true, false),
        create("plugin and call, from disk", true, true, true),
        create("plugin, not compiled before", false, true, false),
        Case {
            bound: Some(10.0),
            ..life("plugin from compiled", Work::Plugin)
        },
        Case {
            bound: Some(10.0),
            ..life("instance from compiled", Work::Instance)
        },
        life("plugin from compiled, first call", Work::FirstCall),
        life("drop of a called plugin", Work::Drop),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_cases_have_the_same_name() {
        let mut names: Vec<_> = all().into_iter().map(|case| case.name).collect();
        names.sort();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
