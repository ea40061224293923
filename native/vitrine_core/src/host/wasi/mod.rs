//! WASI preview 1, implemented by wasmtime-wasi. Every plugin with WASI has clocks and random numbers. Arguments, environment,
//! standard input and directories are as they are granted. There is no network.
//!
//! A function that waits for a time or for a file parks the fiber. Other threads work on files.

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

/// The most random bytes of one call, which take about a millisecond. A guest that wants more at once traps.
const MAX_RANDOM: u64 = 1 << 20;

/// Everything that a plugin with WASI is granted.
#[derive(Debug, Clone, Default)]
pub struct Wasi {
    /// Arguments, the program's name first.
    pub args: Vec<String>,
    /// Environment variables.
    pub env: Vec<(String, String)>,
    /// The standard input, which each instance reads from its beginning.
    pub stdin: Bytes,
    /// The destination of the standard output.
    pub stdout: Output,
    /// The destination of the standard error.
    pub stderr: Output,
    /// Directories.
    pub directories: Vec<Directory>,
}

/// A directory of the host that a plugin may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    /// The path of the directory on the host.
    pub host: PathBuf,
    /// The path at which the guest sees it.
    pub guest: String,
    /// Whether the guest can change nothing in it.
    pub read_only: bool,
    /// How much the guest may add to it.
    pub quota: Quota,
}

impl Wasi {
    /// A new account for each directory that has a quota.
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
    /// Dropped last, because dropping it may have other threads close open files.
    files: files::Files,
}

/// The context of a new instance, if the plugin has directories: opening them can fail, so it is done first. Otherwise the
/// context is made when the guest first uses WASI, which many guests never do.
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
                // From the next poll on, the threads of these file systems work for the instance.
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
        // WASI is linked for no other plugin: see `Plugin::new`.
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

/// Opens directories on another thread, because that may take long, and finds out in which file systems they are.
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
    // wasmtime-wasi takes codes from 126 on as a crash, and drops them.
    linker.func_wrap(NAMESPACE, "proc_exit", |code: i32| -> Result<()> {
        Err(I32Exit(code).into())
    })?;
    Ok(())
}
