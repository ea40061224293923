#!/usr/bin/env bash
# Builds kernel/wasm and writes priv/kernel.wasm.
#
#   kernel/build.sh            build and write
#   kernel/build.sh --check    build and compare: exit 1 when priv/kernel.wasm is not what the sources give
#
# Exits 3 where Rust for wasm32 is not to be had; see tools/rust-wasm.
set -euo pipefail
cd "$(dirname "$0")"

case ${1:-} in
  "" | --check) ;;
  *) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' build.sh; exit 2 ;;
esac
../tools/rust-wasm --available || exit 3

# Of layout.rs: the stack lies below the kernel's data, and 48 pages are there from the start.
stack=$(printf '%d' "$(sed -n 's/^pub const STACK_SIZE: u32 = \(.*\);/\1/p' src/layout.rs)")
pages=$(sed -n 's/^pub const MIN_PAGES: u32 = \(.*\);/\1/p' src/layout.rs)

export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$(dirname "$PWD")/target/kernel}
unset CARGO_ENCODED_RUSTFLAGS
export RUSTFLAGS="-Clink-arg=-zstack-size=$stack -Clink-arg=--stack-first -Clink-arg=--initial-memory=$((pages * 65536))"
../tools/rust-wasm --std core -- build --locked --quiet --manifest-path wasm/Cargo.toml
built=$CARGO_TARGET_DIR/wasm32-unknown-unknown/release/vitrine_kernel_wasm.wasm

if [ "${1:-}" = --check ]; then
  cmp "$built" ../priv/kernel.wasm || { echo "priv/kernel.wasm is not what kernel/ builds; run kernel/build.sh" >&2; exit 1; }
else
  install -m 644 "$built" ../priv/kernel.wasm
fi
