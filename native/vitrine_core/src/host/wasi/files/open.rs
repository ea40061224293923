//! `path_open`. Only files and directories are opened: a FIFO would wait for a writer, and a device for whatever it is made for.
//! wasmtime-wasi would open them by name and wait. So the file is opened here, and wasmtime-wasi is given the open file.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use cap_primitives::fs::{FollowSymlinks, OpenOptions, OpenOptionsExt, stat};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use wasmtime::{Result, bail};
use wasmtime_wasi::filesystem::{Descriptor, Dir, File as WasiFile, OpenMode};
use wasmtime_wasi::p1::wasi_snapshot_preview1;
use wasmtime_wasi::runtime::spawn_blocking;
use wasmtime_wasi::{FsPerms, WasiView};
use wiggle::GuestMemory;

use super::super::errno;
use super::super::quota::Amount;
use super::{Files, Guest, Kind, forward};
use crate::host::plugin_state::PluginState;

const FOLLOW: i32 = 1;

const CREATE: i32 = 1;
const DIRECTORY: i32 = 2;
const EXCLUSIVE: i32 = 4;
const TRUNCATE: i32 = 8;

const READ: i64 = 1 << 1;
const WRITE: i64 = 1 << 6;
/// All rights of WASI.
const RIGHTS: i64 = (1 << 30) - 1;

const APPEND: i32 = 1;
const NONBLOCK: i32 = 4;

/// How something is to be opened.
#[derive(Clone, Copy)]
struct Wish {
    follow: bool,
    create: bool,
    exclusive: bool,
    directory: bool,
    truncate: bool,
    read: bool,
    write: bool,
    append: bool,
}

impl Wish {
    /// `None` if wasmtime-wasi refuses the request without looking at the file.
    fn of(follow: i32, how: i32, rights: [i64; 2], flags: i32) -> Option<Wish> {
        let known = follow & !FOLLOW == 0
            && how & !(CREATE | DIRECTORY | EXCLUSIVE | TRUNCATE) == 0
            && rights.iter().all(|rights| rights & !RIGHTS == 0)
            && flags & !(APPEND | NONBLOCK) == 0;
        let (create, directory) = (how & CREATE != 0, how & DIRECTORY != 0);
        let contradicts = directory && how != DIRECTORY;
        let write = rights[0] & WRITE != 0;
        (known && !contradicts).then_some(Wish {
            follow: follow & FOLLOW != 0,
            create,
            exclusive: how & EXCLUSIVE != 0,
            directory,
            truncate: how & TRUNCATE != 0,
            read: rights[0] & READ != 0 || !write,
            write,
            append: flags & APPEND != 0,
        })
    }

    fn changes(&self) -> bool {
        self.create || self.truncate || self.write
    }

    fn options(&self) -> OpenOptions {
        let mut options = OpenOptions::new();
        let follow = if self.follow {
            FollowSymlinks::Yes
        } else {
            FollowSymlinks::No
        };
        options
            .read(self.read)
            .write(self.changes())
            .truncate(self.truncate)
            .create(self.create && !self.exclusive)
            .create_new(self.create && self.exclusive)
            ._cap_fs_ext_follow(follow)
            .custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits() as i32);
        options
    }

    fn mode(&self) -> OpenMode {
        let mut mode = OpenMode::empty();
        mode.set(OpenMode::READ, self.read);
        mode.set(OpenMode::WRITE, self.changes());
        mode
    }
}

/// The part of opening that may take long and runs on another thread.
struct Opening {
    plugin: Arc<PluginState>,
    grant: usize,
    directory: Arc<File>,
    path: String,
    wish: Wish,
}

struct Opened {
    file: File,
    is_directory: bool,
    identity: (u64, u64),
}

impl Opening {
    fn run(&self) -> Result<Opened, i32> {
        let (path, wish) = (Path::new(&self.path), self.wish);
        let follow = match wish.follow {
            true => FollowSymlinks::Yes,
            false => FollowSymlinks::No,
        };
        // A FIFO or device is not opened at all, because whatever has its other end would notice.
        let before = stat(&self.directory, path, follow).ok();
        if let Some(before) = &before
            && !(before.is_file() || before.is_dir() || before.is_symlink())
        {
            return Err(errno::NXIO);
        }
        let account = self.plugin.accounts.get(self.grant);
        let account = account.and_then(Option::as_ref);
        let new = if wish.create && before.is_none() {
            Amount::FILE
        } else {
            Amount::default()
        };
        if account.is_some_and(|account| !account.take(new)) {
            return Err(errno::DQUOT);
        }
        let opened = self.open(path);
        if let Some(account) = account {
            match (&opened, &before) {
                (Err(_), _) => account.give(new),
                (Ok(_), Some(before)) if wish.truncate && before.is_file() => {
                    account.give(Amount::bytes(before.len()));
                }
                _ => (),
            }
        }
        opened
    }

    fn open(&self, path: &Path) -> Result<Opened, i32> {
        let number = |error: io::Error| errno::of(&error);
        let options = self.wish.options();
        let file = cap_primitives::fs::open(&self.directory, path, &options).map_err(number)?;
        let about = file.metadata().map_err(number)?;
        if !about.is_dir() {
            // Another file may have taken its place since the check.
            if !about.is_file() {
                return Err(errno::NXIO);
            }
            if self.wish.directory {
                return Err(errno::NOTDIR);
            }
            let flags = fcntl_getfl(&file).map_err(|e| number(e.into()))?;
            fcntl_setfl(&file, flags - OFlags::NONBLOCK).map_err(|e| number(e.into()))?;
        }
        Ok(Opened {
            is_directory: about.is_dir(),
            identity: (about.dev(), about.ino()),
            file,
        })
    }
}

#[allow(clippy::too_many_arguments)] // As WASI has them.
pub(super) async fn path_open(
    mut guest: Guest<'_>,
    fd: i32,
    follow: i32,
    path: i32,
    length: i32,
    how: i32,
    rights: i64,
    inherited: i64,
    flags: i32,
    opened: i32,
) -> Result<i32> {
    if guest.files.is_full() {
        return Ok(errno::MFILE);
    }
    if length.cast_unsigned() as usize > super::MAX_PATH {
        return Ok(errno::NAMETOOLONG);
    }
    guest.place(opened)?;
    let wish = Wish::of(follow, how, [rights, inherited], flags);
    let granted = guest.files.plugin.wasi.as_ref();
    let place = guest.files.directory(fd).filter(|place| {
        let directory = granted.and_then(|wasi| wasi.directories.get(place.grant));
        let read_only = directory.is_none_or(|directory| directory.read_only);
        !(read_only && wish.is_some_and(|wish| wish.changes()))
    });
    // wasmtime-wasi refuses by itself what can be refused without looking at the file.
    let (Some(wish), Some(place), Some(text)) = (wish, place, guest.path(path, length)) else {
        return forward!(
            guest, path_open, fd, follow, path, length, how, rights, inherited, flags, opened
        )
        .await;
    };
    let (grant, directory) = (place.grant, place.file.clone());
    let opening = Opening {
        plugin: guest.files.plugin.clone(),
        grant,
        directory: directory.clone(),
        path: text,
        wish,
    };
    match spawn_blocking(move || opening.run()).await {
        Err(number) => Ok(number),
        Ok(found) => {
            let new = adopt(&mut guest, fd, &directory, (found, grant, wish), flags).await?;
            *guest.place(opened)? = new.to_le_bytes();
            Ok(errno::SUCCESS)
        }
    }
}

/// A file that opens without waiting. wasmtime-wasi opens it in the place of the file that is open already.
struct Placeholder {
    directory: Dir,
    file: &'static str,
}

static PLACEHOLDER: LazyLock<io::Result<Placeholder>> = LazyLock::new(|| {
    let open = |path: &str, file: &'static str| {
        let directory = File::open(path)?;
        std::fs::metadata(format!("{path}/{file}"))?;
        let mode = OpenMode::READ | OpenMode::WRITE;
        let directory = Dir::new(directory, FsPerms::ReadWrite, mode, true);
        Ok(Placeholder { directory, file })
    };
    open("/dev", "null").or_else(|_: io::Error| open("/proc/self", "stat"))
});

/// Makes wasmtime-wasi create a descriptor of something that is open, and returns its number.
async fn adopt(
    guest: &mut Guest<'_>,
    fd: i32,
    directory: &Arc<File>,
    (opened, grant, wish): (Opened, usize, Wish),
    flags: i32,
) -> Result<u32> {
    let placeholder = match &*PLACEHOLDER {
        Ok(placeholder) => placeholder,
        Err(e) => bail!("neither /dev nor /proc can be opened: {e}"),
    };
    let Some(place) = find(guest, |dir| Arc::ptr_eq(&dir.dir, directory)) else {
        bail!("an open directory is not found");
    };
    let place_of_it = std::mem::replace(place, Descriptor::Dir(placeholder.directory.clone()));
    let name = if opened.is_directory {
        "."
    } else {
        placeholder.file
    };
    let mut bytes = [0; 16];
    bytes[4..4 + name.len()].copy_from_slice(name.as_bytes());
    let memory = &mut GuestMemory::Unshared(&mut bytes);
    let length = name.len() as i32;
    // This does not wait, so the directory is back in its place afterwards.
    let made = wasi_snapshot_preview1::path_open(
        &mut *guest.wasi,
        memory,
        fd,
        0,
        4,
        length,
        0,
        READ,
        READ,
        flags,
        0,
    )
    .await;
    if let Some(place) = find(guest, |dir| {
        Arc::ptr_eq(&dir.dir, &placeholder.directory.dir)
    }) {
        *place = place_of_it;
    }
    match made? {
        errno::SUCCESS => (),
        number => bail!("wasmtime-wasi gives no descriptor: error {number}"),
    }
    let [a, b, c, d, ..] = bytes;
    let new = u32::from_le_bytes([a, b, c, d]);
    let permissions = match guest.files.plugin.wasi.as_ref() {
        Some(wasi) if wasi.directories.get(grant).is_some_and(|d| !d.read_only) => {
            FsPerms::ReadWrite
        }
        _ => FsPerms::ReadOnly,
    };
    let (file, kind) = install(guest.wasi, guest.files, opened, wish, permissions)?;
    guest.files.add(new, file, grant, kind);
    Ok(new)
}

fn find<'a>(guest: &'a mut Guest<'_>, is_it: impl Fn(&Dir) -> bool) -> Option<&'a mut Descriptor> {
    let resources = guest.wasi.ctx().table.iter_mut();
    let mut descriptors = resources.filter_map(|resource| resource.downcast_mut());
    descriptors.find(|descriptor| matches!(descriptor, Descriptor::Dir(dir) if is_it(dir)))
}

/// Replaces the descriptor that was made for the placeholder, which is the only one that [`Files`] does not know.
fn install(
    wasi: &mut wasmtime_wasi::p1::WasiP1Ctx,
    files: &Files,
    opened: Opened,
    wish: Wish,
    permissions: FsPerms,
) -> Result<(Arc<File>, Kind)> {
    let resources = wasi.ctx().table.iter_mut();
    let mut descriptors = resources.filter_map(|resource| resource.downcast_mut());
    let new = descriptors.find(|descriptor| match descriptor {
        Descriptor::File(file) => !files.knows(&file.file),
        Descriptor::Dir(dir) => !files.knows(&dir.dir),
    });
    let Some(new) = new else {
        bail!("wasmtime-wasi has made no descriptor");
    };
    let mode = wish.mode();
    if opened.is_directory {
        let dir = Dir::new(opened.file, permissions, mode, false);
        let file = dir.dir.clone();
        *new = Descriptor::Dir(dir);
        return Ok((file, Kind::Directory { listing: None }));
    }
    let file = WasiFile::new(opened.file, permissions, mode, false);
    let handle = file.file.clone();
    *new = Descriptor::File(file);
    let kind = Kind::Regular {
        identity: opened.identity,
        writable: wish.changes(),
        append: wish.append,
        deleted: false,
    };
    Ok((handle, kind))
}
