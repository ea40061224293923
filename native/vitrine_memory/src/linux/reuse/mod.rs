//! Mappings and slots that are used again, and the pools in which they wait for that.

pub(super) mod region;
pub(super) mod region_pool;
mod resident_pool;
pub(super) mod shared_image;
pub(super) mod slots;
