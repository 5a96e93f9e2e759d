# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced. demo_binary builds and sets `laconic`; demo_model also sets `model`: a GGUF with random
# weights at the shape of Qwen3-0.6B, Q8_0, made once.
# shellcheck source=scripts/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

demo_binary() {
  "$root/scripts/install-packages.sh" build test
  say "build release"
  build_preset release --target laconic_cli
  laconic=$root/build/release/laconic
}

demo_model() {
  demo_binary
  model=$root/build/demo/qwen3-0.6b-q8_0.gguf
  if [[ ! -f $model ]]; then
    say "make a model: random weights at the shape of Qwen3-0.6B, Q8_0"
    mkdir -p "${model%/*}"
    "$laconic" make-model --like qwen3-0.6b --out "$model" --type q8_0
  fi
}
