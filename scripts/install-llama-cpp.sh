#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# install-llama-cpp.sh [FOLDER]: llama.cpp's prebuilt CPU library, through npm, into
# FOLDER/node_modules (default build/), for the tests llama_cpp.* and bench/peers/run.py.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
folder=${1:-$root/build}

version=$(node --version 2>/dev/null) || version=none
major=${version#v}
if [[ ! ${major%%.*} =~ ^[0-9]+$ ]] || ((${major%%.*} < 20)) || ! command -v npm >/dev/null; then
  echo "install-llama-cpp.sh: needs npm and node 20 or newer (Debian 12 has 18); node here: $version" >&2
  exit 1
fi
mkdir -p "$folder"
[[ -f $folder/package.json ]] || echo '{"private": true}' >"$folder/package.json"
cd "$folder"
npm install --ignore-scripts --omit=optional --no-audit --no-fund --no-save \
  node-llama-cpp@3 @node-llama-cpp/linux-x64@3
echo "LACONIC_NODE_MODULES=$(pwd)/node_modules"
