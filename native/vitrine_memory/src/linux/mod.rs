//! Memories and stacks on Linux.

mod dense;
mod handover;
mod maps;
mod pages;
#[cfg(test)]
mod readable;
mod reserved;
mod reuse;
mod stacks;

use std::sync::Arc;

use wasmtime::Config;

pub use handover::{Images, with_images};
pub(crate) use maps::count_mappings;
pub use pages::decommit::decommit_bytes as decommit;
pub use reuse::shared_image::SharedImage;
pub(crate) use stacks::mappings as stack_mappings;

/// Whether instances can share images of this crate.
pub(crate) const SHARES_IMAGES: bool = true;

pub(crate) fn configure(config: &mut Config, dense: bool) {
    config
        // Wasmtime makes no images of memories that it does not map itself.
        .memory_init_cow(false)
        .with_host_stack(Arc::new(stacks::Stacks));
    match dense {
        true => config.with_host_memory(Arc::new(dense::Memories)),
        false => config.with_host_memory(Arc::new(reserved::Memories)),
    };
}
