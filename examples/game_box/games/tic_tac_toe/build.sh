#!/usr/bin/env bash
# Builds tic_tac_toe.wasm. Outside of Vitrine's repository, build it with
#
#   rustup target add wasm32-unknown-unknown
#   cargo build --release --target wasm32-unknown-unknown
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
root=$(cd ../../../.. && pwd -P)
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/target/guests}

"$root/tools/rust-wasm" --std std -- build --locked
install -m 644 "$CARGO_TARGET_DIR/wasm32-unknown-unknown/release/tic_tac_toe.wasm" .
