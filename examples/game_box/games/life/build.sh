#!/usr/bin/env bash
# Builds life.wasm with Zig's C compiler, which provides the memset and memcpy that compilers call: pip install ziglang.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

if python3 -c 'import ziglang' 2>/dev/null; then zig=(python3 -m ziglang); else zig=(zig); fi
"${zig[@]}" cc -target wasm32-freestanding -std=c11 -Wall -Werror -Os -s -nostdlib -Wl,--no-entry \
  -Wl,-z,stack-size=65536 -o life.wasm life.c json.c page.c
