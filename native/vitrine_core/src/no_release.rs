//! In the place of `release.rs`: memory stays where it is until it is unmapped.

pub(crate) fn give_back(_bytes: &mut [u8]) {}
