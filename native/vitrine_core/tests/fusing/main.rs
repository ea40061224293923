//! Fusing: a fused module must do exactly what it does unfused. Each test runs both and compares everything that can be
//! observed.

// A test that panics is a test that fails.
#![allow(clippy::unwrap_used)]

mod accessors;
mod interruption;
mod linking;
mod loops;
mod programs;
mod random_modules;
mod shared_data;
mod support;
