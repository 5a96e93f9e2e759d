#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# table-8k.sh [TOKENS [ARM ...]]: the README's table of decode speed. 8192 generated tokens after a
# prompt of 128, random weights at the shape of Qwen3-0.6B in Q8_0, f16 rows, batch 1. The model runs
# at points of each answer's schedule, in three turns of all arms: docs/bench.md has how. Arms are
# those of bench/compression/run.py. A few minutes on two cores, beside the build.
set -euo pipefail
# shellcheck source=scripts/demo-model.sh
source "$(dirname "${BASH_SOURCE[0]}")/demo-model.sh"

tokens=${1:-8192}
shift || true
(($#)) || set -- full rpc:interval=1024,ratio={2,4,8}
out=$root/build/bench

demo_model >&2
printf '%s\n\n' "$tokens tokens, random weights at the shape of Qwen3-0.6B, f16 rows; of each cache the
turn of median speed in three."
python3 "$root/bench/compression/run.py" --laconic "$laconic" --model "$model" --batch 1 \
  --generate "$tokens" --points 12 --repetitions 3 --threads "${LACONIC_THREADS:-$(nproc)}" \
  --json "$out/table-8k.json" --svg "$out/table-8k.svg" "$@"
