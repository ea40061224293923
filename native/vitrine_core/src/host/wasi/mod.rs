//! WASI preview 1, by wasmtime-wasi: clocks and random numbers for all that have WASI, arguments,
//! environment, standard input and directories as they are granted, and no network.
//!
//! What waits, for a time or for a file, parks the fiber: files are worked on by other threads.

mod clock;
mod errno;
#[cfg(unix)]
mod files;
#[cfg(not(unix))]
#[path = "files_elsewhere.rs"]
mod files;
mod input;
mod output;
mod quota;
mod threads;

use std::future::poll_fn;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use wasmtime::{Linker, Result};
use wasmtime_wasi::p1::{WasiP1Ctx, add_to_linker_async};
use wasmtime_wasi::runtime::AbortOnDropJoinHandle;
use wasmtime_wasi::{FsPerms, I32Exit, WasiCtxBuilder};

pub(crate) use input::CallInput;
pub use output::Output;
pub(crate) use output::{Captured, Printer};
pub(crate) use quota::Account;
pub use quota::Quota;
pub(crate) use threads::{FileThreads, enter};

use crate::error::{Error, Reason};
use crate::host::HostView;
use crate::host::plugin_state::PluginState;
use crate::host::protocol::Stream;
use crate::text;

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
    pub stdin: Bytes,
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
    /// How much may be added to it.
    pub quota: Quota,
}

impl Wasi {
    /// What of the quota of each directory is used: nothing yet. None for those without one.
    pub(crate) fn accounts(&self) -> Vec<Option<Account>> {
        let quotas = self.directories.iter().map(|directory| directory.quota);
        let accounts = quotas.map(|quota| quota.is_bounded().then(|| Account::new(quota)));
        accounts.collect()
    }
}

/// A store's WASI.
pub(crate) struct Context {
    pub(crate) wasi: WasiP1Ctx,
    pub(crate) printers: [Printer; 2],
    /// Dropped last, for it may have others close what is open.
    files: files::Files,
}

/// What an instance of this plugin begins with. Directories are opened here, because that can fail;
/// without any the context is made when the guest first asks for something, which many never do.
pub(crate) async fn begin(
    plugin: &Arc<PluginState>,
) -> std::result::Result<Option<Context>, Error> {
    match &plugin.wasi {
        Some(granted) if !granted.directories.is_empty() => {
            let instance = plugin.file_threads.turn().await;
            let (builder, printers) = prepare(plugin, granted);
            let opened = open(plugin, instance, granted.directories.clone(), builder);
            let (mut builder, devices) = opened.await?;
            if plugin.file_threads.found(&devices) {
                // From the next poll on these are the threads that work for it.
                next_poll().await;
            }
            let mut wasi = builder.build_p1();
            let files = files::Files::granted(plugin.clone(), instance, &mut wasi);
            let files = files.map_err(|e| Error::new(Reason::Manifest, format!("{e:#}")))?;
            Ok(Some(Context {
                wasi,
                printers,
                files,
            }))
        }
        _ => Ok(None),
    }
}

async fn next_poll() {
    let mut polled = false;
    poll_fn(|context| {
        if std::mem::replace(&mut polled, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

fn context<T: HostView>(state: &mut T) -> &mut Context {
    let host = state.host_mut();
    let plugin = &host.plugin;
    host.wasi.get_or_insert_with(|| {
        let granted = plugin.wasi.as_ref();
        // Linked for no other: see `Plugin::new`.
        let granted = granted.expect("a plugin that is linked with WASI has it");
        let (mut builder, printers) = prepare(plugin, granted);
        Context {
            wasi: builder.build_p1(),
            printers,
            files: files::Files::none(plugin.clone()),
        }
    })
}

fn prepare(plugin: &Arc<PluginState>, granted: &Wasi) -> (WasiCtxBuilder, [Printer; 2]) {
    let printers = [
        Printer::new(plugin.clone(), Stream::Stdout, granted.stdout),
        Printer::new(plugin.clone(), Stream::Stderr, granted.stderr),
    ];
    let mut builder = WasiCtxBuilder::new();
    builder
        .args(&granted.args)
        .envs(&granted.env)
        .stdin(input::Input::new(plugin.clone(), granted.stdin.clone()))
        .stdout(printers[0].clone())
        .stderr(printers[1].clone())
        .monotonic_clock(clock::Monotonic)
        .max_random_size(MAX_RANDOM)
        .allow_tcp(false)
        .allow_udp(false);
    (builder, printers)
}

type Opened = std::result::Result<(WasiCtxBuilder, Vec<u64>), Error>;

/// Opens directories where that may take long; also, in which file systems they are.
async fn open(
    plugin: &PluginState,
    instance: u64,
    directories: Vec<Directory>,
    mut builder: WasiCtxBuilder,
) -> Opened {
    let Some(threads) = plugin.file_threads.opener() else {
        return Err(Error::new(
            Reason::Manifest,
            "the plugin's directories cannot be opened: the system gives no thread for it",
        ));
    };
    let asked = Arc::new(());
    plugin.file_threads.hold(instance, &asked);
    let work = threads.spawn_blocking(move || {
        let mut devices = Vec::new();
        for directory in &directories {
            devices.push(open_one(&mut builder, directory)?);
        }
        drop(asked);
        Ok((builder, devices))
    });
    AbortOnDropJoinHandle::from(work).await
}

fn open_one(
    builder: &mut WasiCtxBuilder,
    directory: &Directory,
) -> std::result::Result<u64, Error> {
    let permissions = match directory.read_only {
        true => FsPerms::ReadOnly,
        false => FsPerms::ReadWrite,
    };
    let opened = builder.preopened_dir(&directory.host, &directory.guest, permissions);
    opened.map_err(|e| {
        let host = text::quoted(&directory.host.to_string_lossy());
        let why = format!("the directory {host} of allowed_paths cannot be opened: {e:#}");
        Error::new(Reason::Manifest, why)
    })?;
    Ok(device(&directory.host))
}

#[cfg(unix)]
fn device(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).map_or(0, |about| about.dev())
}

#[cfg(not(unix))]
fn device(_path: &Path) -> u64 {
    0
}

pub(crate) fn link<T: HostView>(linker: &mut Linker<T>) -> Result<()> {
    add_to_linker_async(linker, |state: &mut T| &mut context(state).wasi)?;
    files::link(linker)?;
    // wasmtime-wasi takes codes from 126 on for a crash, and loses them.
    linker.func_wrap(NAMESPACE, "proc_exit", |code: i32| -> Result<()> {
        Err(I32Exit(code).into())
    })?;
    Ok(())
}
