//! The calls of the system for pages. Each file wraps one call, and the only state is that of the system.

pub(super) mod decommit;
pub(super) mod image;
pub(super) mod mremap;
mod pagemap;
pub(super) mod reset;
