//! Two NIFs that do nothing: the least that a call out of Elixir costs.

use rustler::{Atom, types::atom};

#[rustler::nif]
fn empty() -> Atom {
    atom::ok()
}

#[rustler::nif(schedule = "DirtyCpu")]
fn empty_dirty() -> Atom {
    atom::ok()
}

rustler::init!("Elixir.Bench.Empty");
