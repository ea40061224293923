//! The Extism kernel: the memory in which host and guest exchange bytes.
//!
//! The same code runs in two places. Compiled to wasm it is what plugins import as
//! `extism:host/env`; natively, over the bytes of that wasm memory, the host uses it to pass the
//! input and to take the output without calling into wasm.
//!
//! * `alloc`, `free`, `length` and `reset` take constant time, and freed memory is reused.
//! * What is the input, the output or the error message is not handed out again before it is so no
//!   more, also where its block was freed.
//! * The kernel's own data lies where the guest's stores do not reach, and an offset that is not a
//!   handle is never taken for one. Should the data be garbage all the same, results are garbage,
//!   but every function returns and stays inside the memory.
//!
//! [`layout`] draws the memory; [`Kernel`] has the functions.

#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod block;
mod held;
mod kernel;
pub mod layout;
mod list;
mod memory;
mod page;
mod pages;
mod size_class;
mod slab;

pub use kernel::Kernel;
pub use memory::{Memory, SliceMemory};
