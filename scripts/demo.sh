#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# demo.sh [MODEL [QUESTION]]: a reasoning model with the full KV cache and with fewer rows.
#
# Without arguments: pocket, the small model of this project, thinks through one problem that it has
# never seen, then solves 100 of them with the full cache, with Reasoning Path Compression, and with
# rows thrown away at random. With a Hugging Face directory or a GGUF file: one answer of that
# model, streamed twice; LACONIC_DEMO_TOKENS sets how many tokens it may have.
set -euo pipefail
# shellcheck source=scripts/demo-model.sh
source "$(dirname "${BASH_SOURCE[0]}")/demo-model.sh"

with_checkpoint() {
  local model=$1 question=$2 policy
  [[ -e $model ]] || die "no model at '$model'; give a Hugging Face directory or a GGUF file"
  demo_binary
  for policy in full rpc; do
    local flags=(--kv-policy "$policy")
    [[ $policy == full ]] || flags+=(--kv-interval 512 --kv-ratio 4)
    say "$policy cache"
    "$laconic" run -m "$model" -p "$question" -n "${LACONIC_DEMO_TOKENS:-2048}" --temp 0 \
      "${flags[@]}"
  done
}

with_pocket() {
  local pocket=$root/models/pocket schedule=interval=256,window=64,ratio=2
  demo_binary
  say "pocket thinks"
  "$laconic" run -m "$pocket" --threads 1 --temp 0 \
    -p "Sara has 7 more coins than Ben. Ida has as many coins as Sara and Ben together. Gus has 4 \
coins. Ben has twice as many coins as Gus. How many coins does Ida have?"
  say "100 problems that it has never seen"
  # One thread: pocket's products are too small to share.
  "$laconic" eval -m "$pocket" --task "$pocket/test.jsonl" --limit 100 --max-tokens 2500 --threads 1 \
    --compare full --compare "rpc:$schedule" --compare "random:$schedule" --by-family
  cat <<'TEXT'

full keeps every row. rpc keeps, of every 256 rows that the model writes, the 128 that its latest
queries look at; random keeps as many and draws them by lot. pocket needs nearly every row again, so
this is a hard test: docs/pocket.md has 500 problems, other settings, and why.
Your own model: scripts/demo.sh MODEL_DIRECTORY_OR_GGUF "your question"
TEXT
}

if (($#)); then
  with_checkpoint "$1" "${2:-What is the sum of the first 50 odd numbers? Think it through.}"
else
  with_pocket
fi
