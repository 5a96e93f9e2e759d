#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# install-llama-cpp.sh [FOLDER]: llama.cpp's prebuilt CPU library, through npm, into
# FOLDER/node_modules (default build/). Only the test llama_cpp.greedy wants it.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
folder=${1:-$root/build}

command -v npm >/dev/null || {
  echo "install-llama-cpp.sh: needs node 20 and npm (Debian: nodejs npm)" >&2
  exit 1
}
mkdir -p "$folder"
[[ -f $folder/package.json ]] || echo '{"private": true}' >"$folder/package.json"
cd "$folder"
npm install --ignore-scripts --omit=optional --no-audit --no-fund --no-save \
  node-llama-cpp@3 @node-llama-cpp/linux-x64@3
echo "LACONIC_NODE_MODULES=$(pwd)/node_modules"
