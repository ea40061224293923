//! `fd_readdir`. For each piece that a guest asks for, wasmtime-wasi reads the whole directory and looks at each file in it. This
//! implementation continues where the last piece ended.

#[cfg(not(target_os = "linux"))]
pub(super) use elsewhere::*;
#[cfg(target_os = "linux")]
pub(super) use linux::*;

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use wasmtime::Result;

    use super::super::{Guest, forward};

    /// Nothing is kept between two pieces.
    pub(in super::super) struct Listing;

    pub(in super::super) async fn fd_readdir(
        guest: Guest<'_>,
        fd: i32,
        at: i32,
        length: i32,
        cookie: i64,
        used: i32,
    ) -> Result<i32> {
        forward!(guest, fd_readdir, fd, at, length, cookie, used).await
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::VecDeque;
    use std::fs::File;
    use std::hash::{DefaultHasher, Hash, Hasher};
    use std::mem::MaybeUninit;
    use std::os::unix::fs::MetadataExt;
    use std::sync::Arc;

    use rustix::fs::{FileType, Mode, OFlags, RawDir, SeekFrom, openat, seek};
    use wasmtime::{Result, bail};
    use wasmtime_wasi::runtime::spawn_blocking;

    use super::super::super::errno;
    use super::super::{Guest, Kind, forward};

    /// The bytes of entries that are read at once.
    const BATCH: usize = 32 << 10;

    /// Bytes of an entry before its name.
    const HEAD: usize = 24;

    /// The position in a directory that is being read.
    pub(in super::super) struct Listing {
        directory: File,
        /// The device and inode of `.`, and by convention of `..`.
        itself: (u64, u64),
        /// The position of the first of `entries` in the directory.
        cookie: u64,
        /// The entries that were read, and that the guest may not have yet.
        entries: VecDeque<Entry>,
        over: bool,
    }

    struct Entry {
        /// The position of the next entry.
        next: u64,
        inode: u64,
        kind: u8,
        name: Box<[u8]>,
    }

    impl Listing {
        fn open(directory: &File) -> Result<Listing, i32> {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let number = |error: rustix::io::Errno| errno::of(&error.into());
            let directory = openat(directory, c".", flags, Mode::empty()).map_err(number)?;
            let directory = File::from(directory);
            let about = directory.metadata().map_err(|e| errno::of(&e))?;
            Ok(Listing {
                itself: (about.dev(), about.ino()),
                directory,
                cookie: 0,
                entries: VecDeque::new(),
                over: false,
            })
        }

        /// Goes to a position that the guest was given before.
        fn go_to(&mut self, cookie: u64) -> Result<(), i32> {
            while self.cookie != cookie {
                let Some(entry) = self.entries.pop_front() else {
                    seek(&self.directory, SeekFrom::Start(cookie))
                        .map_err(|e| errno::of(&e.into()))?;
                    self.cookie = cookie;
                    self.over = false;
                    break;
                };
                self.cookie = entry.next;
            }
            Ok(())
        }

        /// Reads until there are entries of at least `wanted` bytes, or no more.
        fn fill(&mut self, wanted: usize) -> Result<(), i32> {
            let sizes = self.entries.iter().map(|entry| HEAD + entry.name.len());
            let mut read: usize = sizes.sum();
            let mut buffer = [MaybeUninit::uninit(); BATCH];
            while read < wanted && !self.over {
                let mut batch = RawDir::new(&self.directory, &mut buffer);
                loop {
                    let entry = match batch.next() {
                        None => {
                            self.over = true;
                            break;
                        }
                        Some(entry) => entry.map_err(|e| errno::of(&e.into()))?,
                    };
                    let name = entry.file_name().to_bytes();
                    read += HEAD + name.len();
                    self.entries.push_back(Entry {
                        next: entry.next_entry_cookie(),
                        inode: entry.ino(),
                        kind: kind(entry.file_type()),
                        name: name.into(),
                    });
                    if batch.is_buffer_empty() {
                        break;
                    }
                }
            }
            Ok(())
        }

        /// The number of an entry: the same that `path_filestat_get` of wasmtime-wasi gives for it.
        fn inode(&self, entry: &Entry) -> u64 {
            let identity = match &*entry.name {
                b"." | b".." => self.itself,
                _ => (self.itself.0, entry.inode),
            };
            let mut hasher = DefaultHasher::new();
            identity.hash(&mut hasher);
            hasher.finish()
        }

        /// Writes the next entries, as far as they fit. If the last one is cut, the guest asks again from there.
        fn give(&self, room: &mut [u8]) -> Result<usize, i32> {
            let mut used = 0;
            for entry in &self.entries {
                if std::str::from_utf8(&entry.name).is_err() {
                    // A guest cannot name this file.
                    return if used == 0 {
                        Err(errno::ILSEQ)
                    } else {
                        Ok(used)
                    };
                }
                let mut bytes = Vec::with_capacity(HEAD + entry.name.len());
                bytes.extend(entry.next.to_le_bytes());
                bytes.extend(self.inode(entry).to_le_bytes());
                bytes.extend((entry.name.len() as u32).to_le_bytes());
                bytes.extend([entry.kind, 0, 0, 0]);
                bytes.extend(&*entry.name);
                let fits = bytes.len().min(room.len() - used);
                room[used..used + fits].copy_from_slice(&bytes[..fits]);
                used += fits;
                if used == room.len() {
                    break;
                }
            }
            Ok(used)
        }
    }

    /// The number that WASI has for a type of file.
    fn kind(kind: FileType) -> u8 {
        match kind {
            FileType::BlockDevice => 1,
            FileType::CharacterDevice => 2,
            FileType::Directory => 3,
            FileType::RegularFile => 4,
            FileType::Symlink => 7,
            _ => 0,
        }
    }

    pub(in super::super) async fn fd_readdir(
        mut guest: Guest<'_>,
        fd: i32,
        at: i32,
        length: i32,
        cookie: i64,
        used: i32,
    ) -> Result<i32> {
        let open = guest.files.open.get_mut(&fd.cast_unsigned());
        let Some((Kind::Directory { listing }, file)) =
            open.map(|open| (&mut open.kind, &open.file))
        else {
            return forward!(guest, fd_readdir, fd, at, length, cookie, used).await;
        };
        let (listing, file) = (listing.take(), file.clone());
        let length = length.cast_unsigned() as usize;
        let start = at.cast_unsigned() as usize;
        let range = start..start.saturating_add(length);
        if guest.bytes.get(range.clone()).is_none() {
            bail!("the pointer {start:#x} does not point to {length} bytes in the memory");
        }
        guest.place(used)?;
        let work = move || read(listing, &file, cookie.cast_unsigned(), length);
        let listing = match spawn_blocking(work).await {
            Ok(listing) => listing,
            Err(number) => return Ok(number),
        };
        let Some(room) = guest.bytes.get_mut(range) else {
            bail!("the memory has shrunk");
        };
        let given = match listing.give(room) {
            Ok(given) => given as u32,
            Err(number) => return Ok(number),
        };
        *guest.place(used)? = given.to_le_bytes();
        // After the end of the directory the listing is not needed, and it takes a descriptor.
        if given > 0
            && let Some(open) = guest.files.open.get_mut(&fd.cast_unsigned())
        {
            open.kind = Kind::Directory {
                listing: Some(listing),
            };
        }
        Ok(errno::SUCCESS)
    }

    fn read(
        listing: Option<Listing>,
        directory: &Arc<File>,
        cookie: u64,
        length: usize,
    ) -> Result<Listing, i32> {
        // A reading from the beginning sees the directory as it is now.
        let mut listing = match listing {
            Some(listing) if cookie != 0 => listing,
            _ => Listing::open(directory)?,
        };
        listing.go_to(cookie)?;
        listing.fill(length)?;
        Ok(listing)
    }
}
