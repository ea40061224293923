//! The format of an entry: a magic number, the key that it was written for, a checksum, flags, and the native code. The checksum
//! is a sha256 of the key, the flags and the code.
//!
//! The checksum finds damage by a full or bad disk. It does not protect against a user that can write to the directory, and so can
//! write checksums, too.

use sha2::{Digest, Sha256};
use vitrine_rewrite::Flags;

const MAGIC: &[u8; 16] = b"vitrine native 1";
const KEY: usize = MAGIC.len();
const SUM: usize = KEY + 32;
const FLAGS: usize = SUM + 32;
const CODE: usize = FLAGS + 1;

const COMMAND: u8 = 1;
const UNINTERRUPTIBLE: u8 = 2;
const FUSED: u8 = 4;

/// The flags and native code of a compiled module.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) flags: Flags,
    file: Vec<u8>,
    /// The offset of the code in `file`.
    code: usize,
}

impl Entry {
    pub(crate) fn new(flags: Flags, code: Vec<u8>) -> Entry {
        Entry {
            flags,
            file: code,
            code: 0,
        }
    }

    pub(crate) fn code(&self) -> &[u8] {
        &self.file[self.code..]
    }

    pub(crate) fn encode(&self, key: &[u8; 32]) -> Vec<u8> {
        let code = self.code();
        let flags = byte(self.flags);
        let mut file = Vec::with_capacity(CODE + code.len());
        file.extend_from_slice(MAGIC);
        file.extend_from_slice(key);
        file.extend_from_slice(&sum(key, flags, code));
        file.push(flags);
        file.extend_from_slice(code);
        file
    }

    /// The entry in a file, if the file is exactly what was written for this key.
    pub(crate) fn parse(file: Vec<u8>, key: &[u8; 32]) -> Option<Entry> {
        let whole = file.len() > CODE
            && file.starts_with(MAGIC)
            && file[KEY..SUM] == key[..]
            && file[SUM..FLAGS] == sum(key, file[FLAGS], &file[CODE..])[..];
        whole.then(|| Entry {
            flags: Flags {
                command: file[FLAGS] & COMMAND != 0,
                uninterruptible: file[FLAGS] & UNINTERRUPTIBLE != 0,
                fused: file[FLAGS] & FUSED != 0,
            },
            file,
            code: CODE,
        })
    }
}

fn byte(flags: Flags) -> u8 {
    let bits = [
        (flags.command, COMMAND),
        (flags.uninterruptible, UNINTERRUPTIBLE),
        (flags.fused, FUSED),
    ];
    let set = bits.into_iter().filter(|(set, _)| *set);
    set.fold(0, |byte, (_, bit)| byte | bit)
}

fn sum(key: &[u8; 32], flags: u8, code: &[u8]) -> [u8; 32] {
    let sum = Sha256::new().chain_update(key).chain_update([flags]);
    sum.chain_update(code).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY_OF_IT: [u8; 32] = [7; 32];
    const FLAGS_OF_IT: Flags = Flags {
        command: true,
        uninterruptible: false,
        fused: true,
    };

    fn file() -> Vec<u8> {
        Entry::new(FLAGS_OF_IT, b"code".to_vec()).encode(&KEY_OF_IT)
    }

    #[test]
    fn entry_that_was_written_is_read() {
        let entry = Entry::parse(file(), &KEY_OF_IT).unwrap();
        assert_eq!(entry.code(), b"code");
        assert_eq!(entry.flags, FLAGS_OF_IT);
        assert_eq!(entry.encode(&KEY_OF_IT), file());
    }

    #[test]
    fn entry_with_a_changed_bit_or_a_missing_or_added_byte_is_refused() {
        for bit in 0..file().len() * 8 {
            let mut flipped = file();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Entry::parse(flipped, &KEY_OF_IT), None, "bit {bit}");
        }
        for length in 0..file().len() {
            let short = file()[..length].to_vec();
            assert_eq!(Entry::parse(short, &KEY_OF_IT), None, "{length} bytes");
        }
        let longer = [file(), vec![0]].concat();
        assert_eq!(Entry::parse(longer, &KEY_OF_IT), None);
    }

    #[test]
    fn entry_for_another_key_is_refused() {
        assert_eq!(Entry::parse(file(), &[8; 32]), None);
    }
}
