//! The NIF of Vitrine: terms in, terms out.
//!
//! This crate converts values and chooses schedulers. `vitrine_core` decides what a plugin may do, and Elixir decides what is
//! done with it. Start with [`call`], whose documentation lists what a slice of a call answers; [`permit`] says how
//! processes get to dirty schedulers; [`reply`] sends messages from threads that are not schedulers.

mod atoms;
mod bytes;
mod call;
mod codec;
mod compile;
mod error;
mod html;
mod http;
mod inspection;
mod link;
mod listing;
mod options;
mod permit;
mod plugin;
mod reply;
mod scheduler;
mod snapshot;
mod stats;
mod toml;
mod value;

rustler::init!("Elixir.Vitrine.Native");
