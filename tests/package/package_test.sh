#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# package_test.sh SOURCE BUILD COMPILER: installs BUILD into a scratch prefix, builds the example
# against nothing but that prefix, and runs it on a made model.
set -euo pipefail
source_dir=$1 build_dir=$2 compiler=$3

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
prefix=$scratch/prefix

cmake --install "$build_dir" --prefix "$prefix" >"$scratch/install.log"
for header in error kv_options model session; do
  test -f "$prefix/include/laconic/$header.h" || { echo "laconic/$header.h is not installed"; exit 1; }
done
if find "$prefix/include" -mindepth 1 -maxdepth 1 ! -name laconic | grep .; then
  echo "headers outside include/laconic were installed"
  exit 1
fi

# A copy, so that no path of the source tree can help.
cp -r "$source_dir/examples/generate" "$scratch/example"
cmake -S "$scratch/example" -B "$scratch/build" -G Ninja -DCMAKE_PREFIX_PATH="$prefix" \
  -DCMAKE_CXX_COMPILER="$compiler"
cmake --build "$scratch/build"

"$prefix/bin/laconic" make-model --like tiny --out "$scratch/tiny.gguf" --type bf16
"$scratch/build/generate" "$scratch/tiny.gguf" "One, two, three" 160 | tee "$scratch/output.txt"

peak() { sed -n "s/^$1: .* peak KV \([0-9]*\) bytes.*/\1/p" "$scratch/output.txt"; }
full=$(peak full) rpc=$(peak rpc)
if [[ -z $full || -z $rpc || $rpc -gt $full || $rpc -eq 0 ]]; then
  echo "expected 0 < rpc <= full peak bytes, got full='$full' rpc='$rpc'"
  exit 1
fi

if "$scratch/build/generate" "$scratch/missing.gguf" 2>"$scratch/error.txt"; then
  echo "a missing model was accepted"
  exit 1
fi
test "$(wc -l <"$scratch/error.txt")" -eq 1 || { echo "expected one line of error"; exit 1; }
echo "package: full $full bytes, rpc $rpc bytes"
