#!/usr/bin/env bash
# Builds quiz.wasm. Needs Node 20 or newer with npm.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

npm ci --no-audit --no-fund --silent
npm run --silent build
chmod 644 quiz.wasm
