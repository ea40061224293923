//! Functions that take paths. A path with a slash at its end names a directory, which wasmtime-wasi does not always notice. Files
//! that these functions make and remove are counted if the directory has a quota.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use cap_primitives::fs::{FollowSymlinks, Metadata, MetadataExt, stat};
use wasmtime::Result;
use wasmtime_wasi::runtime::spawn_blocking;

use super::super::errno;
use super::super::quota::Amount;
use super::{Guest, forward};

/// The metadata of the file at a path, if there is one.
async fn look(directory: Arc<File>, path: String, follow: FollowSymlinks) -> Option<Metadata> {
    spawn_blocking(move || stat(&directory, Path::new(&path), follow).ok()).await
}

/// The path without the slash at its end, if it has one.
fn without_slash(path: &str) -> Option<&str> {
    let short = path.trim_end_matches('/');
    (short.len() < path.len() && !short.is_empty()).then_some(short)
}

/// The path without what says at its end that it names a directory: slashes, and dots behind them.
fn without_dots(path: &str) -> Option<&str> {
    let mut short = path;
    while let Some(shorter) = short.strip_suffix('/').or_else(|| short.strip_suffix("/.")) {
        short = shorter;
    }
    (short.len() < path.len() && !short.is_empty()).then_some(short)
}

/// Whether a path ends as one of a directory does, but does not name a directory.
async fn is_no_directory(guest: &mut Guest<'_>, (fd, path, length): (i32, i32, i32)) -> bool {
    let Some(directory) = guest.files.directory(fd) else {
        return false;
    };
    let Some(text) = guest.path(path, length) else {
        return false;
    };
    let Some(short) = without_dots(&text) else {
        return false;
    };
    let about = look(
        directory.file.clone(),
        short.to_owned(),
        FollowSymlinks::Yes,
    )
    .await;
    about.is_some_and(|about| !about.is_dir())
}

/// Calls the function of wasmtime-wasi, unless the path ends with a slash but does not name a directory.
macro_rules! checked {
    ($guest:ident, $place:expr, $function:ident, $($argument:expr),*) => {{
        if is_no_directory(&mut $guest, $place).await {
            return Ok(errno::NOTDIR);
        }
        forward!($guest, $function, $($argument),*).await
    }};
}

pub(super) async fn path_filestat_get(
    mut guest: Guest<'_>,
    fd: i32,
    follow: i32,
    path: i32,
    length: i32,
    about: i32,
) -> Result<i32> {
    let place = (fd, path, length);
    checked!(
        guest,
        place,
        path_filestat_get,
        fd,
        follow,
        path,
        length,
        about
    )
}

#[allow(clippy::too_many_arguments)] // As WASI has them.
pub(super) async fn path_filestat_set_times(
    mut guest: Guest<'_>,
    fd: i32,
    follow: i32,
    path: i32,
    length: i32,
    accessed: i64,
    modified: i64,
    which: i32,
) -> Result<i32> {
    let place = (fd, path, length);
    checked!(
        guest,
        place,
        path_filestat_set_times,
        fd,
        follow,
        path,
        length,
        accessed,
        modified,
        which
    )
}

pub(super) async fn path_readlink(
    mut guest: Guest<'_>,
    fd: i32,
    path: i32,
    length: i32,
    at: i32,
    room: i32,
    used: i32,
) -> Result<i32> {
    let place = (fd, path, length);
    checked!(
        guest,
        place,
        path_readlink,
        fd,
        path,
        length,
        at,
        room,
        used
    )
}

/// Makes something new, and counts it as a file.
macro_rules! counted {
    ($guest:ident, $fd:expr, $function:ident, $($argument:expr),*) => {{
        if !take($guest.files, $fd, Amount::FILE) {
            return Ok(errno::DQUOT);
        }
        let number = forward!($guest, $function, $($argument),*).await;
        if !matches!(number, Ok(errno::SUCCESS)) {
            give($guest.files, $fd, Amount::FILE);
        }
        number
    }};
}

fn take(files: &super::Files, fd: i32, more: Amount) -> bool {
    let account = files.directory(fd).and_then(|open| files.account(open));
    account.is_none_or(|account| account.take(more))
}

fn give(files: &super::Files, fd: i32, less: Amount) {
    let account = files.directory(fd).and_then(|open| files.account(open));
    if let Some(account) = account {
        account.give(less);
    }
}

pub(super) async fn path_create_directory(
    guest: Guest<'_>,
    fd: i32,
    path: i32,
    length: i32,
) -> Result<i32> {
    counted!(guest, fd, path_create_directory, fd, path, length)
}

pub(super) async fn path_symlink(
    mut guest: Guest<'_>,
    target: i32,
    target_length: i32,
    fd: i32,
    path: i32,
    length: i32,
) -> Result<i32> {
    if let Some(number) = new_with_slash(&mut guest, (fd, path, length)).await {
        return Ok(number);
    }
    counted!(
        guest,
        fd,
        path_symlink,
        target,
        target_length,
        fd,
        path,
        length
    )
}

#[allow(clippy::too_many_arguments)] // As WASI has them.
pub(super) async fn path_link(
    mut guest: Guest<'_>,
    fd: i32,
    follow: i32,
    path: i32,
    length: i32,
    to: i32,
    new: i32,
    new_length: i32,
) -> Result<i32> {
    if is_no_directory(&mut guest, (fd, path, length)).await {
        return Ok(errno::NOTDIR);
    }
    if let Some(number) = new_with_slash(&mut guest, (to, new, new_length)).await {
        return Ok(number);
    }
    if crosses(&guest, fd, to) {
        return Ok(errno::XDEV);
    }
    counted!(
        guest, to, path_link, fd, follow, path, length, to, new, new_length
    )
}

/// The error of a new file whose name ends with a slash, if it is an error.
async fn new_with_slash(guest: &mut Guest<'_>, (fd, path, length): (i32, i32, i32)) -> Option<i32> {
    let directory = guest.files.directory(fd)?;
    let text = guest.path(path, length)?;
    let short = without_slash(&text)?.to_owned();
    let there = look(directory.file.clone(), short, FollowSymlinks::Yes).await;
    match there {
        None => Some(errno::NOENT),
        Some(there) => (!there.is_dir()).then_some(errno::NOTDIR),
    }
}

/// Whether these are in two different granted directories, one of which has a quota. Moving something between them could not be
/// counted without reading all of it.
fn crosses(guest: &Guest<'_>, from: i32, to: i32) -> bool {
    let files = &*guest.files;
    let (Some(from), Some(to)) = (files.directory(from), files.directory(to)) else {
        return false;
    };
    from.grant != to.grant && (files.account(from).is_some() || files.account(to).is_some())
}

/// The metadata of what is at a path, if its directory has a quota.
async fn before(guest: &mut Guest<'_>, (fd, path, length): (i32, i32, i32)) -> Option<Metadata> {
    let directory = guest.files.directory(fd)?;
    guest.files.account(directory)?;
    let path = guest.path(path, length)?;
    look(directory.file.clone(), path, FollowSymlinks::No).await
}

/// Counts that a file is gone.
fn removed(guest: &mut Guest<'_>, fd: i32, gone: &Metadata) {
    let mut less = Amount::FILE;
    if gone.is_file() && gone.nlink() == 1 && !guest.files.deleted((gone.dev(), gone.ino())) {
        less.bytes = gone.len();
    }
    give(guest.files, fd, less);
}

pub(super) async fn path_rename(
    mut guest: Guest<'_>,
    fd: i32,
    path: i32,
    length: i32,
    to: i32,
    new: i32,
    new_length: i32,
) -> Result<i32> {
    let (from, target) = ((fd, path, length), (to, new, new_length));
    if is_no_directory(&mut guest, from).await || is_no_directory(&mut guest, target).await {
        return Ok(errno::NOTDIR);
    }
    if renames_file_to_directory(&mut guest, from, target).await {
        return Ok(errno::NOTDIR);
    }
    if crosses(&guest, fd, to) {
        return Ok(errno::XDEV);
    }
    let replaced = before(&mut guest, target).await;
    let moved = match &replaced {
        Some(_) => before(&mut guest, from).await,
        None => None,
    };
    let number = forward!(guest, path_rename, fd, path, length, to, new, new_length).await;
    if let (Ok(errno::SUCCESS), Some(replaced), Some(moved)) = (&number, replaced, moved) {
        // Two names of one file stay as they are.
        if (replaced.dev(), replaced.ino()) != (moved.dev(), moved.ino()) {
            removed(&mut guest, to, &replaced);
        }
    }
    number
}

/// Whether the new name is that of a directory, and what is renamed is not a directory.
async fn renames_file_to_directory(
    guest: &mut Guest<'_>,
    (fd, path, length): (i32, i32, i32),
    (_, new, new_length): (i32, i32, i32),
) -> bool {
    let new = guest.path(new, new_length);
    if new.as_deref().and_then(without_slash).is_none() {
        return false;
    }
    let (Some(directory), Some(path)) = (guest.files.directory(fd), guest.path(path, length))
    else {
        return false;
    };
    let about = look(directory.file.clone(), path, FollowSymlinks::No).await;
    about.is_some_and(|about| !about.is_dir())
}

pub(super) async fn path_unlink_file(
    mut guest: Guest<'_>,
    fd: i32,
    path: i32,
    length: i32,
) -> Result<i32> {
    let gone = before(&mut guest, (fd, path, length)).await;
    let number = checked!(
        guest,
        (fd, path, length),
        path_unlink_file,
        fd,
        path,
        length
    );
    if let (Ok(errno::SUCCESS), Some(gone)) = (&number, gone) {
        removed(&mut guest, fd, &gone);
    }
    number
}

pub(super) async fn path_remove_directory(
    mut guest: Guest<'_>,
    fd: i32,
    path: i32,
    length: i32,
) -> Result<i32> {
    // wasmtime-wasi refuses a path with a slash at its end.
    let text = guest.path(path, length);
    let short = text.as_deref().and_then(without_slash);
    let shorter = short.map_or(length, |short| short.len() as i32);
    let number = checked!(
        guest,
        (fd, path, length),
        path_remove_directory,
        fd,
        path,
        shorter
    );
    if matches!(number, Ok(errno::SUCCESS)) {
        give(guest.files, fd, Amount::FILE);
    }
    number
}
