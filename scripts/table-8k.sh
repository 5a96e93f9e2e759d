#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# table-8k.sh [TOKENS [ARM ...]]: the README's table of decode speed. 8192 generated tokens after a
# prompt of 128, random weights at the shape of Qwen3-0.6B in Q8_0, f16 rows, one run per arm.
# Arms are full and rpc:INTERVAL:RATIO. At 8192 tokens count on a quarter of an hour on two cores.
set -euo pipefail
# shellcheck source=scripts/demo-model.sh
source "$(dirname "${BASH_SOURCE[0]}")/demo-model.sh"

tokens=${1:-8192}
shift || true
(($#)) || set -- full rpc:1024:2 rpc:1024:4 rpc:1024:8

demo_model >&2
threads=${LACONIC_THREADS:-$(nproc)}
cpu=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)

bandwidth() {
  "$laconic" inspect --system --json | python3 -c \
    'import json, sys; print("%.1f GB/s" % (json.load(sys.stdin)["read_bandwidth"] / 1e9))'
}

before=$(bandwidth)
rows=$(python3 "$root/scripts/kv_table.py" --laconic "$laconic" --model "$model" --markdown \
  --threads "$threads" --tokens "$tokens" "$@")
cat <<TEXT
$tokens tokens after a prompt of 128, batch 1, Qwen3-0.6B shape, Q8_0, f16 rows, $threads threads on
${cpu:-unknown CPU}; the machine reads $before before and $(bandwidth) after.

$rows
TEXT
