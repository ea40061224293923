//! Closing files. It sends written data to where the file is, which may take long.

use wasmtime::Result;
use wasmtime_wasi::runtime::spawn_blocking;

use super::super::errno;
use super::{Files, Guest, Open, forward};

pub(super) async fn fd_close(guest: Guest<'_>, fd: i32) -> Result<i32> {
    let number = forward!(guest, fd_close, fd).await?;
    if number == errno::SUCCESS {
        let gone = guest.files.open.remove(&fd.cast_unsigned());
        finish(guest.files, gone).await;
    }
    Ok(number)
}

/// Gives a descriptor the number of another, which is closed.
pub(super) async fn fd_renumber(guest: Guest<'_>, from: i32, to: i32) -> Result<i32> {
    let number = forward!(guest, fd_renumber, from, to).await?;
    if number == errno::SUCCESS && from != to {
        let open = &mut guest.files.open;
        let moved = open.remove(&from.cast_unsigned());
        let gone = open.remove(&to.cast_unsigned());
        open.extend(moved.map(|moved| (to.cast_unsigned(), moved)));
        finish(guest.files, gone).await;
    }
    Ok(number)
}

async fn finish(files: &Files, gone: Option<Open>) {
    if let Some(closing) = gone.and_then(|gone| files.closing(gone)) {
        spawn_blocking(move || closing.run()).await;
    }
}
