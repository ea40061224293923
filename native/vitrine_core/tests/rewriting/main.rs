//! Rewritten modules must do exactly what the original does. Most tests run both, on the real engine, and compare
//! everything that can be observed.

mod array;
mod interruption;
mod memory;
mod memory_size;
mod random;
mod support;
mod table;
