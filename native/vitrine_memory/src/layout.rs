//! The layouts of linear memories, and how an engine is configured for them.

use wasmtime::Config;

use crate::system;

/// How linear memories are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Layout {
    /// The layout for speed: each memory reserves 4 GiB of addresses with guards around them. The processor finds
    /// accesses out of bounds.
    #[default]
    Reserved,
    /// The layout for very many instances: memories are packed, and guest code compares each address with the length.
    Dense,
}

impl Layout {
    /// Returns true if instances of a module can share an image of its data until they write to it. Dense memories
    /// cannot, because an image is a mapping of its own in each memory.
    pub fn shares_images(self) -> bool {
        system::SHARES_IMAGES && self == Layout::Reserved
    }
}

/// Makes an engine use the memories and stacks of this crate.
pub fn configure(config: &mut Config, layout: Layout) {
    // The hand-over of images relies on this: it does not count memories without bytes.
    config.gc_heap_initial_size(0);
    if layout == Layout::Dense {
        config
            .memory_reservation(0)
            .memory_reservation_for_growth(0)
            .memory_guard_size(0)
            .guard_before_linear_memory(false)
            .memory_init_cow(false);
    }
    system::configure(config, layout == Layout::Dense);
}
