#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# demo.sh [MODEL [QUESTION]]: the full KV cache and Reasoning Path Compression, one after the other.
#
# Without arguments: random weights at the shape of Qwen3-0.6B, which show speed and memory and
# write nonsense. With a Hugging Face directory or a GGUF file: a real answer, streamed twice.
# LACONIC_DEMO_TOKENS sets how many tokens are generated.
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

with_random_weights() {
  demo_model
  say "decode ${LACONIC_DEMO_TOKENS:-3200} tokens with each cache (random weights: no text to read)"
  python3 "$root/scripts/kv_table.py" --laconic "$laconic" --model "$model" \
    --tokens "${LACONIC_DEMO_TOKENS:-3200}" full rpc:1024:4
  cat <<'TEXT'

rpc keeps a quarter of every 1024 generated tokens: fewer rows are read per token, fewer bytes held.
The longer the answer, the wider the gap. Whether a model still reasons well is a question for a
real one: scripts/demo.sh MODEL_DIRECTORY_OR_GGUF "your question"
TEXT
}

if (($#)); then
  with_checkpoint "$1" "${2:-What is the sum of the first 50 odd numbers? Think it through.}"
else
  with_random_weights
fi
