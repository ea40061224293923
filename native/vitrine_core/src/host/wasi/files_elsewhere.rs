//! Files on systems where a guest cannot open anything that it could wait for without an end. `path_open` only counts.

use std::sync::Arc;

use wasmtime::{AsContextMut, Caller, Extern, Linker, Result, bail};
use wasmtime_wasi::WasiView;
use wasmtime_wasi::filesystem::Descriptor;
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p1::wasi_snapshot_preview1::{WasiSnapshotPreview1, path_open};
use wiggle::GuestMemory;

use super::{NAMESPACE, context, errno};
use crate::host::HostView;
use crate::host::plugin_state::PluginState;

/// The most files and directories that an instance has open at the same time, not counting those that it was granted.
const MAX_OPEN: usize = 64;

type Arguments = (i32, i32, i32, i32, i32, i64, i64, i32, i32);

/// The number of directories that an instance was granted. wasmtime-wasi knows what is open.
pub(super) struct Files {
    granted: usize,
}

impl Files {
    pub(super) fn none(_shared: Arc<PluginState>) -> Files {
        Files { granted: 0 }
    }

    pub(super) fn granted(
        plugin: Arc<PluginState>,
        _instance: u64,
        _: &mut WasiP1Ctx,
    ) -> Result<Files> {
        let granted = plugin.wasi.as_ref();
        let quotas = granted.iter().flat_map(|wasi| &wasi.directories);
        if quotas
            .map(|directory| directory.quota)
            .any(|quota| quota.is_bounded())
        {
            bail!(
                "a bound of a directory is not supported on this system: leave directory_limits out"
            );
        }
        Ok(Files {
            granted: granted.map_or(0, |wasi| wasi.directories.len()),
        })
    }
}

/// Links a `path_open` that counts and then calls the one of wasmtime-wasi, in the way in which that would be called.
pub(super) fn link<T: HostView>(linker: &mut Linker<T>) -> Result<()> {
    linker.func_wrap_async(
        NAMESPACE,
        "path_open",
        |mut caller: Caller<'_, T>, arguments: Arguments| {
            Box::new(async move {
                let Some(Extern::Memory(memory)) = caller.get_export("memory") else {
                    bail!("missing required memory export");
                };
                let fuel = caller.as_context_mut().hostcall_fuel();
                let (bytes, state) = memory.data_and_store_mut(&mut caller);
                let context = context(state);
                let most = MAX_OPEN + context.files.granted;
                let wasi = &mut context.wasi;
                if open(wasi) >= most {
                    return Ok(errno::MFILE);
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
