//! How many files a guest may have open. Each is a descriptor of the whole system process, of which there
//! are not many, and is open until the guest closes it or its instance is gone.

use wasmtime::{AsContextMut, Caller, Extern, Linker, Result};
use wasmtime_wasi::WasiView;
use wasmtime_wasi::filesystem::Descriptor;
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p1::wasi_snapshot_preview1::{WasiSnapshotPreview1, path_open};
use wiggle::GuestMemory;

use super::{NAMESPACE, context};
use crate::state::HostState;

/// Files and directories that an instance has open at the same time, those that it was granted not
/// counted.
const MAX_OPEN: usize = 64;

/// WASI's error of a process that has too many files open.
const MFILE: i32 = 33;

type Arguments = (i32, i32, i32, i32, i32, i64, i64, i32, i32);

/// Puts a `path_open` that counts before the one of wasmtime-wasi, which is called as that has itself called.
pub(super) fn link(linker: &mut Linker<HostState>) -> Result<()> {
    linker.func_wrap_async(
        NAMESPACE,
        "path_open",
        |mut caller: Caller<'_, HostState>, arguments: Arguments| {
            Box::new(async move {
                let Some(Extern::Memory(memory)) = caller.get_export("memory") else {
                    wasmtime::bail!("missing required memory export");
                };
                let fuel = caller.as_context_mut().hostcall_fuel();
                let (bytes, state) = memory.data_and_store_mut(&mut caller);
                let granted = state
                    .shared
                    .wasi
                    .as_ref()
                    .map(|wasi| wasi.directories.len());
                let wasi = context(state);
                if open(wasi) >= MAX_OPEN + granted.unwrap_or(0) {
                    return Ok(MFILE);
                }
                wasi.set_hostcall_fuel(fuel);
                let mut memory = GuestMemory::Unshared(bytes);
                let (fd, follow, path, length, how, rights, inherited, flags, opened) = arguments;
                path_open(
                    wasi,
                    &mut memory,
                    fd,
                    follow,
                    path,
                    length,
                    how,
                    rights,
                    inherited,
                    flags,
                    opened,
                )
                .await
            })
        },
    )?;
    Ok(())
}

fn open(wasi: &mut WasiP1Ctx) -> usize {
    let resources = wasi.ctx().table.iter_mut();
    resources
        .filter(|resource| resource.is::<Descriptor>())
        .count()
}
