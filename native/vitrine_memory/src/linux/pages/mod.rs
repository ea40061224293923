//! What the system does with pages: one file for each call of it, without any state but what the system has.

pub(super) mod decommit;
pub(super) mod image;
pub(super) mod mremap;
mod pagemap;
pub(super) mod reset;
