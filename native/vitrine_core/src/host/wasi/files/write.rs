//! Writing to files. If the directory has a quota, the growth of the file is counted.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use wasmtime::Result;
use wasmtime_wasi::p1::wasi_snapshot_preview1;
use wasmtime_wasi::runtime::spawn_blocking;
use wiggle::GuestMemory;

use super::super::errno;
use super::super::quota::Amount;
use super::{Guest, Kind, forward};

/// The bytes of the address and length of a piece.
const PIECE: i32 = 8;

/// The most pieces of a write: more than any system takes. wasmtime-wasi takes any number.
const MAX_PIECES: u32 = 1 << 16;

const APPEND: i32 = 1;

async fn size(file: Arc<File>) -> Option<u64> {
    spawn_blocking(move || file.metadata().map(|about| about.size()).ok()).await
}

/// The file of a descriptor, if it is counted, and whether writes go to its end.
fn counted(guest: &Guest<'_>, fd: i32) -> Option<(Arc<File>, bool)> {
    let open = guest.files.open.get(&fd.cast_unsigned())?;
    guest.files.account(open)?;
    match open.kind {
        Kind::Regular { append, .. } => Some((open.file.clone(), append)),
        Kind::Directory { .. } => None,
    }
}

fn take(guest: &Guest<'_>, fd: i32, bytes: u64) -> bool {
    let open = guest.files.open.get(&fd.cast_unsigned());
    let account = open.and_then(|open| guest.files.account(open));
    account.is_none_or(|account| account.take(Amount::bytes(bytes)))
}

fn give(guest: &Guest<'_>, fd: i32, bytes: u64) {
    let open = guest.files.open.get(&fd.cast_unsigned());
    if let Some(account) = open.and_then(|open| guest.files.account(open)) {
        account.give(Amount::bytes(bytes));
    }
}

/// The number of bytes that wasmtime-wasi writes of these pieces: those of the first piece that is not empty.
fn length(guest: &Guest<'_>, pieces: i32, count: i32) -> u64 {
    for index in 0..count.cast_unsigned() {
        let at = pieces.wrapping_add(PIECE.wrapping_mul(index.cast_signed()));
        match guest.number(at.wrapping_add(4)) {
            Some(0) => (),
            Some(length) => return length.into(),
            None => return 0,
        }
    }
    0
}

/// The position of a descriptor in its file.
fn position(guest: &mut Guest<'_>, fd: i32) -> Result<u64> {
    let mut bytes = [0; 8];
    wasi_snapshot_preview1::fd_tell(
        &mut *guest.wasi,
        &mut GuestMemory::Unshared(&mut bytes),
        fd,
        0,
    )?;
    Ok(u64::from_le_bytes(bytes))
}

pub(super) async fn fd_write(
    mut guest: Guest<'_>,
    fd: i32,
    pieces: i32,
    count: i32,
    written: i32,
) -> Result<i32> {
    let Some(file) = counted(&guest, fd) else {
        return forward!(guest, fd_write, fd, pieces, count, written).await;
    };
    // wasmtime-wasi checks this pointer only after it has written.
    guest.place(written)?;
    let at = position(&mut guest, fd)?;
    let grown = match grow(&mut guest, fd, (pieces, count), file, at).await {
        Ok(grown) => grown,
        Err(number) => return Ok(number),
    };
    let number = forward!(guest, fd_write, fd, pieces, count, written).await;
    settle(&guest, fd, grown, number, written)
}

pub(super) async fn fd_pwrite(
    mut guest: Guest<'_>,
    fd: i32,
    pieces: i32,
    count: i32,
    offset: i64,
    written: i32,
) -> Result<i32> {
    let Some(file) = counted(&guest, fd) else {
        return forward!(guest, fd_pwrite, fd, pieces, count, offset, written).await;
    };
    guest.place(written)?;
    let grown = match grow(
        &mut guest,
        fd,
        (pieces, count),
        file,
        offset.cast_unsigned(),
    )
    .await
    {
        Ok(grown) => grown,
        Err(number) => return Ok(number),
    };
    let number = forward!(guest, fd_pwrite, fd, pieces, count, offset, written).await;
    settle(&guest, fd, grown, number, written)
}

/// A write that may make a file larger: its length, and how many bytes of it count.
struct Grown {
    length: u64,
    counted: u64,
}

/// Counts the growth of the file if everything is written.
async fn grow(
    guest: &mut Guest<'_>,
    fd: i32,
    (pieces, count): (i32, i32),
    (file, append): (Arc<File>, bool),
    at: u64,
) -> Result<Grown, i32> {
    if count.cast_unsigned() > MAX_PIECES {
        return Err(errno::INVAL);
    }
    let length = length(guest, pieces, count);
    let size = size(file).await.unwrap_or(0);
    let begin = if append { size } else { at };
    let counted = begin.saturating_add(length).saturating_sub(size);
    let counted = if length == 0 { 0 } else { counted };
    match take(guest, fd, counted) {
        true => Ok(Grown { length, counted }),
        false => Err(errno::DQUOT),
    }
}

/// Returns the bytes to the account that were not written after all.
fn settle(
    guest: &Guest<'_>,
    fd: i32,
    grown: Grown,
    number: Result<i32>,
    written: i32,
) -> Result<i32> {
    let done = match number {
        Ok(errno::SUCCESS) => guest.number(written).unwrap_or(0).into(),
        _ => 0,
    };
    let missing = if done == 0 {
        grown.counted
    } else {
        grown.length.saturating_sub(done)
    };
    give(guest, fd, missing.min(grown.counted));
    number
}

pub(super) async fn fd_filestat_set_size(guest: Guest<'_>, fd: i32, new: i64) -> Result<i32> {
    let Some((file, _)) = counted(&guest, fd) else {
        return forward!(guest, fd_filestat_set_size, fd, new).await;
    };
    let (old, wanted) = (size(file).await.unwrap_or(0), new.cast_unsigned());
    let more = wanted.saturating_sub(old);
    if !take(&guest, fd, more) {
        return Ok(errno::DQUOT);
    }
    let number = forward!(guest, fd_filestat_set_size, fd, new).await;
    match number {
        Ok(errno::SUCCESS) => give(&guest, fd, old.saturating_sub(wanted)),
        _ => give(&guest, fd, more),
    }
    number
}

/// Records whether writes go to the end of the file.
pub(super) async fn fd_fdstat_set_flags(guest: Guest<'_>, fd: i32, flags: i32) -> Result<i32> {
    let number = forward!(guest, fd_fdstat_set_flags, fd, flags)?;
    if let (errno::SUCCESS, Some(open)) = (number, guest.files.open.get_mut(&fd.cast_unsigned()))
        && let Kind::Regular { append, .. } = &mut open.kind
    {
        *append = flags & APPEND != 0;
    }
    Ok(number)
}
