//! WASI preview 1, by wasmtime-wasi: clocks and random numbers for all that have WASI, arguments,
//! environment, standard input and directories as they are granted, and no network.
//!
//! What waits, for a time or for a file, parks the fiber: files are worked on by threads of
//! wasmtime-wasi's own.

mod clock;
mod files;
mod output;

use std::path::PathBuf;
use std::sync::Arc;

use wasmtime::{Linker, Result};
use wasmtime_wasi::p1::{WasiP1Ctx, add_to_linker_async};
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::{FsPerms, I32Exit, WasiCtxBuilder};

pub(crate) use output::{Captured, Printer};
pub use output::{Output, Stream};

use crate::error::{Error, Reason};
use crate::plugin::Shared;
use crate::state::HostState;

/// The namespace of WASI preview 1.
pub(crate) const NAMESPACE: &str = "wasi_snapshot_preview1";

/// Random bytes that are made at once, so that it takes about a millisecond at most. A guest that
/// wants more in one call traps.
const MAX_RANDOM: u64 = 1 << 20;

/// What a plugin with WASI is granted.
#[derive(Debug, Clone, Default)]
pub struct Wasi {
    /// Arguments, the program's name first.
    pub args: Vec<String>,
    /// Environment variables.
    pub env: Vec<(String, String)>,
    /// What it reads from its standard input, each instance anew.
    pub stdin: Vec<u8>,
    /// Where its standard output goes.
    pub stdout: Output,
    /// Where its standard error goes.
    pub stderr: Output,
    /// Directories.
    pub directories: Vec<Directory>,
}

/// A directory of the host that a plugin may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    /// Where it is.
    pub host: PathBuf,
    /// Where the guest sees it.
    pub guest: String,
    /// Whether nothing in it can be changed.
    pub read_only: bool,
}

/// A store's WASI.
pub(crate) struct Context {
    pub(crate) wasi: WasiP1Ctx,
    pub(crate) printers: [Printer; 2],
}

/// What an instance of this plugin begins with. Directories are opened here, because that can fail;
/// without any the context is made when the guest first asks for something, which many never do.
pub(crate) fn begin(shared: &Arc<Shared>) -> std::result::Result<Option<Context>, Error> {
    match &shared.wasi {
        Some(granted) if !granted.directories.is_empty() => {
            let (mut builder, printers) = prepare(shared, granted);
            for directory in &granted.directories {
                open(&mut builder, directory)?;
            }
            let wasi = builder.build_p1();
            Ok(Some(Context { wasi, printers }))
        }
        _ => Ok(None),
    }
}

fn context(state: &mut HostState) -> &mut WasiP1Ctx {
    let shared = &state.shared;
    let context = state.wasi.get_or_insert_with(|| {
        let granted = shared.wasi.as_ref();
        // Linked for no other: see `Plugin::new`.
        let granted = granted.expect("a plugin that is linked with WASI has it");
        let (mut builder, printers) = prepare(shared, granted);
        let wasi = builder.build_p1();
        Context { wasi, printers }
    });
    &mut context.wasi
}

fn prepare(shared: &Arc<Shared>, granted: &Wasi) -> (WasiCtxBuilder, [Printer; 2]) {
    let printers = [
        Printer::new(shared.clone(), Stream::Stdout, granted.stdout),
        Printer::new(shared.clone(), Stream::Stderr, granted.stderr),
    ];
    let mut builder = WasiCtxBuilder::new();
    builder
        .args(&granted.args)
        .envs(&granted.env)
        .stdin(MemoryInputPipe::new(granted.stdin.clone()))
        .stdout(printers[0].clone())
        .stderr(printers[1].clone())
        .monotonic_clock(clock::Monotonic)
        .max_random_size(MAX_RANDOM)
        .allow_tcp(false)
        .allow_udp(false);
    (builder, printers)
}

fn open(builder: &mut WasiCtxBuilder, directory: &Directory) -> std::result::Result<(), Error> {
    let permissions = match directory.read_only {
        true => FsPerms::ReadOnly,
        false => FsPerms::ReadWrite,
    };
    let opened = builder.preopened_dir(&directory.host, &directory.guest, permissions);
    opened.map(|_| ()).map_err(|e| {
        let host = directory.host.display();
        let why = format!("the plugin's directory {host} cannot be opened: {e:#}");
        Error::new(Reason::Manifest, why)
    })
}

pub(crate) fn link(linker: &mut Linker<HostState>) -> Result<()> {
    add_to_linker_async(linker, context)?;
    files::link(linker)?;
    // wasmtime-wasi takes codes from 126 on for a crash, and loses them.
    linker.func_wrap(NAMESPACE, "proc_exit", |code: i32| -> Result<()> {
        Err(I32Exit(code).into())
    })?;
    Ok(())
}

/// Polls where WASI's timers can be made. Only plugins that have WASI pay for it.
pub(crate) fn enter<R>(wasi: bool, poll: impl FnOnce() -> R) -> R {
    if wasi {
        wasmtime_wasi::runtime::with_ambient_tokio_runtime(poll)
    } else {
        poll()
    }
}
