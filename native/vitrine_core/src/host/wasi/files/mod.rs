//! Files of granted directories. Where wasmtime-wasi would wait without a bound, reads more than it needs to, or cannot count,
//! functions of Vitrine come before its own, and call them in the way in which they would be called.

mod close;
mod list;
mod open;
mod paths;
mod poll;
mod write;

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use wasmtime::{AsContextMut, Caller, Extern, Linker, Result, bail};
use wasmtime_wasi::WasiView;
use wasmtime_wasi::filesystem::Descriptor;
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p1::wasi_snapshot_preview1::{WasiSnapshotPreview1, fd_prestat_get};
use wiggle::GuestMemory;

use super::quota::{Account, Amount};
use super::{Context, NAMESPACE, context};
use crate::host::HostView;
use crate::host::plugin_state::PluginState;

/// The most files and directories that an instance has open at the same time, not counting those that it was granted. Each takes
/// a descriptor of the whole system process, which has not many.
const MAX_OPEN: usize = 64;

/// The most bytes of a path: more than any system takes.
const MAX_PATH: usize = 64 << 10;

/// The first descriptor that is not a standard stream.
const FIRST: u32 = 3;

/// The open files and directories of an instance, by the descriptors of wasmtime-wasi.
pub(super) struct Files {
    plugin: Arc<PluginState>,
    instance: u64,
    open: BTreeMap<u32, Open>,
}

struct Open {
    file: Arc<File>,
    /// The index of the granted directory in which it was opened.
    grant: usize,
    kind: Kind,
}

enum Kind {
    Directory {
        /// The position of a reading that has not ended.
        listing: Option<list::Listing>,
    },
    Regular {
        /// Device and inode.
        identity: (u64, u64),
        writable: bool,
        /// Whether writes go to its end.
        append: bool,
        /// Whether the plugin has deleted it. Its bytes exist until it is closed.
        deleted: bool,
    },
}

impl Files {
    /// The files of an instance without directories.
    pub(super) fn none(plugin: Arc<PluginState>) -> Files {
        Files {
            plugin,
            instance: 0,
            open: BTreeMap::new(),
        }
    }

    /// The files of a new instance: the directories that it was granted.
    pub(super) fn granted(
        plugin: Arc<PluginState>,
        instance: u64,
        wasi: &mut WasiP1Ctx,
    ) -> Result<Files> {
        // This makes wasmtime-wasi create its descriptors.
        let mut bytes = [0; 16];
        let memory = &mut GuestMemory::Unshared(&mut bytes);
        fd_prestat_get(wasi, memory, FIRST.cast_signed(), 0)?;
        let mut files = Files::none(plugin);
        files.instance = instance;
        for resource in wasi.ctx().table.iter_mut() {
            if let Some(Descriptor::Dir(dir)) = resource.downcast_ref() {
                let grant = files.open.len();
                let fd = FIRST + grant as u32;
                let kind = Kind::Directory { listing: None };
                files.add(fd, dir.dir.clone(), grant, kind);
            }
        }
        Ok(files)
    }

    fn add(&mut self, fd: u32, file: Arc<File>, grant: usize, kind: Kind) {
        self.plugin.file_threads.hold(self.instance, &file);
        self.open.insert(fd, Open { file, grant, kind });
    }

    fn is_full(&self) -> bool {
        let granted = self.plugin.wasi.as_ref();
        self.open.len() >= MAX_OPEN + granted.map_or(0, |wasi| wasi.directories.len())
    }

    fn directory(&self, fd: i32) -> Option<&Open> {
        let open = self.open.get(&fd.cast_unsigned())?;
        matches!(open.kind, Kind::Directory { .. }).then_some(open)
    }

    fn knows(&self, file: &Arc<File>) -> bool {
        let mut open = self.open.values();
        open.any(|known| Arc::ptr_eq(&known.file, file))
    }

    /// The account of the directory in which this was opened, if that has a quota.
    fn account(&self, open: &Open) -> Option<&Account> {
        self.plugin.accounts.get(open.grant)?.as_ref()
    }

    /// Records that a file was deleted. True if it is open, so that its bytes still exist.
    fn deleted(&mut self, deleted: (u64, u64)) -> bool {
        let mut found = false;
        for open in self.open.values_mut() {
            if let Kind::Regular {
                identity,
                deleted: gone,
                ..
            } = &mut open.kind
                && *identity == deleted
            {
                *gone = true;
                found = true;
            }
        }
        found
    }

    /// The work that remains after a descriptor was closed. It may take long: written data is sent to where the file is, and the
    /// bytes of a deleted file become free.
    fn closing(&self, closed: Open) -> Option<Closing> {
        let Kind::Regular {
            identity,
            writable,
            deleted,
            ..
        } = closed.kind
        else {
            return None;
        };
        let same = |open: &Open| matches!(open.kind, Kind::Regular { identity: other, .. } if other == identity);
        let last = !self.open.values().any(same);
        (writable || deleted).then(|| Closing {
            plugin: self.plugin.clone(),
            frees: (deleted && last).then_some(closed.grant),
            file: closed.file,
        })
    }
}

struct Closing {
    plugin: Arc<PluginState>,
    file: Arc<File>,
    /// The index of the account that gets the bytes of the file back.
    frees: Option<usize>,
}

impl Closing {
    fn run(self) {
        let account = self.frees.and_then(|grant| self.plugin.accounts.get(grant));
        if let Some(Some(account)) = account
            && let Ok(about) = self.file.metadata()
        {
            account.give(Amount::bytes(about.size()));
        }
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let mut closing = Vec::new();
        while let Some((_, open)) = self.open.pop_first() {
            closing.extend(self.closing(open));
        }
        if let Some(threads) = self.plugin.file_threads.group()
            && !closing.is_empty()
        {
            threads.spawn_blocking(|| closing.into_iter().for_each(Closing::run));
        }
    }
}

/// The state that a function of WASI works with: the guest's memory, the state of wasmtime-wasi, and the open files.
struct Guest<'a> {
    bytes: &'a mut [u8],
    wasi: &'a mut WasiP1Ctx,
    files: &'a mut Files,
}

impl<'a> Guest<'a> {
    fn of<T: HostView>(caller: &'a mut Caller<'_, T>) -> Result<Guest<'a>> {
        let Some(Extern::Memory(memory)) = caller.get_export("memory") else {
            bail!("missing required memory export");
        };
        let fuel = caller.as_context_mut().hostcall_fuel();
        let (bytes, state) = memory.data_and_store_mut(caller);
        let Context { wasi, files, .. } = context(state);
        wasi.set_hostcall_fuel(fuel);
        Ok(Guest { bytes, wasi, files })
    }

    /// A part of the guest's memory.
    fn part(&self, at: i32, length: i32) -> Option<&[u8]> {
        let at = at.cast_unsigned() as usize;
        let end = at.checked_add(length.cast_unsigned() as usize)?;
        self.bytes.get(at..end)
    }

    fn number(&self, at: i32) -> Option<u32> {
        let bytes = self.part(at, 4)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?))
    }

    /// The path in a part of the memory, if it can be looked up.
    fn path(&self, at: i32, length: i32) -> Option<String> {
        if length.cast_unsigned() as usize > MAX_PATH {
            return None;
        }
        let text = std::str::from_utf8(self.part(at, length)?).ok()?;
        Some(text.to_owned())
    }

    /// The place of a number in the memory.
    fn place(&mut self, at: i32) -> Result<&mut [u8; 4]> {
        let at = at.cast_unsigned() as usize;
        let place = self
            .bytes
            .get_mut(at..)
            .and_then(|rest| rest.first_chunk_mut());
        match place {
            Some(place) if at.is_multiple_of(4) => Ok(place),
            _ => bail!("the pointer {at:#x} does not point to a number in the memory"),
        }
    }
}

/// Calls a function of wasmtime-wasi.
macro_rules! forward {
    ($guest:ident, $function:ident $(, $argument:expr)*) => {
        wasmtime_wasi::p1::wasi_snapshot_preview1::$function(
            &mut *$guest.wasi,
            &mut wiggle::GuestMemory::Unshared(&mut *$guest.bytes),
            $($argument),*
        )
    };
}
use forward;

/// Links Vitrine's functions in the place of those of wasmtime-wasi.
pub(super) fn link<T: HostView>(linker: &mut Linker<T>) -> Result<()> {
    macro_rules! functions {
        ($($module:ident::$name:ident($($argument:ident: $type:ty),*);)*) => {$(
            linker.func_wrap_async(
                NAMESPACE,
                stringify!($name),
                |mut caller: Caller<'_, T>, ($($argument,)*): ($($type,)*)| {
                    Box::new(async move {
                        let guest = Guest::of(&mut caller)?;
                        $module::$name(guest, $($argument),*).await
                    })
                },
            )?;
        )*};
    }
    functions! {
        open::path_open(fd: i32, follow: i32, path: i32, length: i32, how: i32, rights: i64, inherited: i64, flags: i32, opened: i32);
        close::fd_close(fd: i32);
        close::fd_renumber(from: i32, to: i32);
        list::fd_readdir(fd: i32, at: i32, length: i32, cookie: i64, used: i32);
        paths::path_filestat_get(fd: i32, follow: i32, path: i32, length: i32, about: i32);
        paths::path_filestat_set_times(fd: i32, follow: i32, path: i32, length: i32, accessed: i64, modified: i64, which: i32);
        paths::path_readlink(fd: i32, path: i32, length: i32, at: i32, room: i32, used: i32);
        paths::path_create_directory(fd: i32, path: i32, length: i32);
        paths::path_symlink(target: i32, target_length: i32, fd: i32, path: i32, length: i32);
        paths::path_link(fd: i32, follow: i32, path: i32, length: i32, to: i32, new: i32, new_length: i32);
        paths::path_rename(fd: i32, path: i32, length: i32, to: i32, new: i32, new_length: i32);
        paths::path_unlink_file(fd: i32, path: i32, length: i32);
        paths::path_remove_directory(fd: i32, path: i32, length: i32);
        poll::poll_oneoff(subscriptions: i32, events: i32, count: i32, ready: i32);
        write::fd_write(fd: i32, pieces: i32, count: i32, written: i32);
        write::fd_pwrite(fd: i32, pieces: i32, count: i32, offset: i64, written: i32);
        write::fd_filestat_set_size(fd: i32, size: i64);
        write::fd_fdstat_set_flags(fd: i32, flags: i32);
    }
    Ok(())
}
