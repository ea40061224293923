#!/usr/bin/env bash
# Rebuilds plugin.wasm from plugin/, with what tools/rust-wasm finds.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
root=$(cd ../../.. && pwd -P)
target=$root/target/guests
# The working directory is one that the compiler keeps out of the result.
(cd plugin && CARGO_TARGET_DIR=$target "$root/tools/rust-wasm" --std std -- build --locked)
cp "$target/wasm32-unknown-unknown/release/plugin.wasm" .
chmod 644 plugin.wasm
