//! Linear memories and fiber stacks for Wasmtime, made to be used again.
//!
//! Wasmtime maps a memory for each instance and unmaps it when the instance is dropped. The system takes longer
//! for that than for everything else that makes an instance: it maps, hands out zeroed pages one by one, and
//! makes the other threads of the process wait while it unmaps. On Linux this crate takes that work over. It
//! keeps a bounded amount of memory for the next instance and resets only the pages that the last one wrote to.
//!
//! [`configure`] puts the crate under an engine. The rest of the API is for the steps that an embedder takes itself.
//!
//! # Layouts
//!
//! With [`Layout::Reserved`] each memory has a *region* of its own. An access out of bounds ends in a guard, where
//! the processor finds it, so compiled code needs no comparisons:
//!
//! ```text
//!       base                      base + accessible              base + reserved
//!        |                              |                               |
//!  +-----+------------------------------+-------------------------------+-----+
//!  |guard| zeros | image    | zeros     | reserved: 4 GiB of addresses  |guard|
//!  +-----+------------------------------+-------------------------------+-----+
//!   PROT_NONE       readable and writable       PROT_NONE, for growth    PROT_NONE
//! ```
//!
//! An *image* is the data of a module in a sealed file without a name. The file is mapped privately: instances
//! share its pages until they write to them. [`with_images`] hands the images of a module to the memories that
//! Wasmtime makes for it.
//!
//! With [`Layout::Dense`] memories are *slots* of a few large mappings, and compiled code compares each address with
//! the memory's length. That is slower, but any number of instances takes a few mappings. Fiber stacks are slots in
//! either layout, each with a guard page at its lower end:
//!
//! ```text
//!  1 GiB, adjacent mappings are merged by the system                     growing down
//!  +-----------+-----------+-----------+-----+                  +-----+----------------+
//!  | slot      | slot      | slot      | ... |    a stack slot  |guard|<--- frames     |
//!  +-----------+-----------+-----------+-----+                  +-----+----------------+
//! ```
//!
//! # The way of a memory
//!
//! ```text
//!               +-- taken from a pool, or mapped ---> used by an instance, dropped with it
//!               |                                                  |
//!               |                       the pagemap of the process says which pages are dirty
//!               |                                                  |
//!   resident pool <--- few: they are written with zeros or with the image (they stay resident)
//!                                                                  |
//!         system <---- many, or the pagemap cannot be trusted: decommitted, and unmapped in pieces
//! ```
//!
//! # Layers
//!
//! Imports go down only, and nearly all `unsafe` code of Vitrine is below this line:
//!
//! ```text
//!   layout                                  the configuration of an engine
//!   mappings                                the budget of memory mappings
//!   linux/{reserved,dense,stacks,handover}  the code that Wasmtime calls, and the images that it is handed
//!   linux/reuse/                            region, slots, resident_pool, region_pool, shared_image
//!   linux/pages/                            image, pagemap, reset, decommit, mremap: calls of the system
//! ```
//!
//! Other systems have `unsupported`, where Wasmtime makes its own memories and stacks.

#![warn(missing_docs)]

mod layout;
pub mod mappings;
mod out_of_memory;
#[cfg_attr(target_os = "linux", path = "linux/mod.rs")]
#[cfg_attr(not(target_os = "linux"), path = "unsupported.rs")]
mod system;

pub use layout::{Layout, configure};
pub use out_of_memory::lacks_memory;
pub use system::{Images, SharedImage, decommit, with_images};
