//! Decodes options.

use std::path::PathBuf;
use std::time::Duration;

use rustler::{Atom, Binary, Error, NifMap, NifResult, NifUnitEnum, Term};
use vitrine_core::{
    Cache, CallOptions, CompileOptions, Config, Directory, FuelLimits, Grants, HostFunction,
    Limits, OnTrap, Output, PluginOptions, Profiler, Quota, Settings, Stage, ValueType, Wasi,
};

use crate::atoms;
use crate::value::decode_type;

/// The options of linking.
#[derive(NifMap)]
pub struct LinkTerm<'a> {
    /// `{namespace, name, nil | {params, results}}` each.
    host_functions: Vec<(String, String, Term<'a>)>,
    wasi: bool,
    /// Whether a snapshot is to be taken of the plugin.
    snapshot: bool,
    /// The function that is called before the snapshot, or `nil`.
    called: Option<String>,
}

impl LinkTerm<'_> {
    pub fn decode(self) -> NifResult<Grants> {
        let functions = self.host_functions.into_iter();
        Ok(Grants {
            functions: functions.map(host_function).collect::<NifResult<_>>()?,
            wasi: self.wasi,
            snapshot: self.snapshot,
            called: self.called,
        })
    }
}

/// The options of a plugin.
#[derive(NifMap)]
pub struct PluginTerm<'a> {
    config: Config,
    limits: LimitsTerm,
    wasi: Option<WasiTerm<'a>>,
    /// `{call, initialisation}`
    fuel: Option<(u64, u64)>,
    coredump: Option<String>,
    http_response_headers: bool,
    on_trap: Atom,
}

#[derive(NifMap)]
struct LimitsTerm {
    memory: u64,
    table_elements: u64,
    output: u64,
    vars: u64,
}

/// The most bytes and files that a plugin may add to a directory.
type LimitsOfDirectory = (Option<u64>, Option<u64>);

#[derive(NifMap)]
struct WasiTerm<'a> {
    args: Vec<String>,
    env: Vec<(String, String)>,
    stdin: Binary<'a>,
    stdout: Atom,
    stderr: Atom,
    /// `{host, guest, read_only, {max_bytes, max_files}}` each, with `nil` for no limit.
    directories: Vec<(String, String, bool, LimitsOfDirectory)>,
}

impl PluginTerm<'_> {
    pub fn decode(self) -> NifResult<PluginOptions> {
        Ok(PluginOptions {
            config: self.config,
            limits: Limits {
                memory: self.limits.memory,
                table_elements: self.limits.table_elements,
                output: self.limits.output,
            },
            max_var_bytes: self.limits.vars,
            wasi: self.wasi.map(WasiTerm::decode).transpose()?,
            fuel: self.fuel.map(|(call, initialisation)| FuelLimits {
                call,
                initialisation,
            }),
            coredump: self.coredump.map(PathBuf::from),
            http_response_headers: self.http_response_headers,
            on_trap: if self.on_trap == atoms::keep() {
                OnTrap::Keep
            } else {
                OnTrap::Reset
            },
        })
    }
}

impl WasiTerm<'_> {
    fn decode(self) -> NifResult<Wasi> {
        let directories = self.directories.into_iter();
        Ok(Wasi {
            args: self.args,
            env: self.env,
            stdin: self.stdin.as_slice().to_vec().into(),
            stdout: output(self.stdout)?,
            stderr: output(self.stderr)?,
            directories: directories
                .map(
                    |(host, guest, read_only, (max_bytes, max_files))| Directory {
                        host: PathBuf::from(host),
                        guest,
                        read_only,
                        quota: Quota {
                            max_bytes,
                            max_files,
                        },
                    },
                )
                .collect(),
        })
    }
}

fn output(term: Atom) -> NifResult<Output> {
    let outputs = [
        (atoms::drop(), Output::Drop),
        (atoms::tell(), Output::Tell),
        (atoms::capture(), Output::Capture),
    ];
    let found = outputs.into_iter().find(|(atom, _)| *atom == term);
    found.map(|(_, output)| output).ok_or(Error::BadArg)
}

/// Whether debug information is used, and whether a native debugger uses it, too.
#[derive(NifUnitEnum, PartialEq)]
enum DebugTerm {
    False,
    True,
    Native,
}

/// The options of compiling.
#[derive(NifMap)]
pub struct CompileTerm {
    fuel: bool,
    debug: DebugTerm,
    coredump: bool,
    /// `perf`, `jitdump` or `vtune`, or `nil`.
    profiler: Atom,
    dense: bool,
    library: bool,
    /// `draft` or `snapshot`, or `nil`.
    stage: Atom,
    fuse: bool,
    /// `{directory, max_bytes}`
    cache: Option<(String, u64)>,
}

impl CompileTerm {
    pub fn decode(self) -> NifResult<(CompileOptions, Option<Cache>)> {
        let profilers = [
            (atoms::perf(), Profiler::PerfMap),
            (atoms::jitdump(), Profiler::JitDump),
            (atoms::vtune(), Profiler::VTune),
        ];
        let stages = [
            (atoms::draft(), Stage::Draft),
            (atoms::snapshot(), Stage::Snapshot),
        ];
        let options = CompileOptions {
            settings: Settings {
                fuel: self.fuel,
                debug: self.debug != DebugTerm::False,
                native_debug: self.debug == DebugTerm::Native,
                coredump: self.coredump,
                profiler: one_of(&profilers, self.profiler)?,
                dense: self.dense,
            },
            library: self.library,
            stage: one_of(&stages, self.stage)?,
            fuse: self.fuse,
        };
        Ok((options, self.cache.map(cache)))
    }
}

/// The value that an atom stands for; `nil` stands for none.
fn one_of<T: Copy>(all: &[(Atom, T)], wanted: Atom) -> NifResult<Option<T>> {
    let found = all.iter().find(|(atom, _)| *atom == wanted);
    match found {
        None if wanted != atoms::nil() => Err(Error::BadArg),
        found => Ok(found.map(|(_, value)| *value)),
    }
}

/// A cache, `{directory, max_bytes}`.
pub fn cache((directory, max_bytes): (String, u64)) -> Cache {
    Cache {
        directory: PathBuf::from(directory),
        max_bytes,
    }
}

fn host_function((namespace, name, types): (String, String, Term)) -> NifResult<HostFunction> {
    let signature = match types.decode::<(Vec<Term>, Vec<Term>)>() {
        Ok((params, results)) => Some((decode_types(params)?, decode_types(results)?)),
        Err(_) => None,
    };
    Ok(HostFunction {
        namespace,
        name,
        signature,
    })
}

fn decode_types(types: Vec<Term>) -> NifResult<Vec<ValueType>> {
    types.into_iter().map(decode_type).collect()
}

/// A timeout in milliseconds, or `:infinity`.
pub fn call(timeout: Term<'_>, log_level: i32) -> NifResult<CallOptions> {
    let timeout = if timeout.is_atom() {
        let infinity: Atom = timeout.decode()?;
        (infinity == atoms::infinity())
            .then_some(None)
            .ok_or(Error::BadArg)?
    } else {
        Some(Duration::from_millis(timeout.decode()?))
    };
    Ok(CallOptions { timeout, log_level })
}
