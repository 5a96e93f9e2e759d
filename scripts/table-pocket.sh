#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# table-pocket.sh [PROBLEMS [SET]]: pocket's accuracy, tokens, KV bytes and tokens/s under several
# caches, on the held-out problems that lie beside it; the tables of README.md and docs/pocket.md.
#
# SET is main (full, then rpc and random at three ratios and on two gentler schedules), interval,
# window or granularity; `all` runs them one after the other. Answers are kept in
# build/pocket/samples-PROBLEMS.jsonl, which all sets share: a run that was stopped goes on, and no
# arm is decoded twice. The numbers of a set lie beside it as SET-PROBLEMS.json. One thread: pocket's
# products are too small to share.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

problems=${1:-500}
set=${2:-main}
out=$root/build/pocket
base=interval=64,window=8

arms_of() {
  local policy value
  echo full
  case $1 in
    main)
      for value in 2 4 8; do
        for policy in rpc random; do echo "$policy:$base,ratio=$value"; done
      done
      # Few rows gone, and a window of whole lines.
      for value in interval=256,window=64,ratio=2 interval=64,window=64,ratio=1.25; do
        for policy in rpc random; do echo "$policy:$value"; done
      done
      ;;
    # The paper's figure 8: how often to compress, at a ratio of 4.
    interval)
      for value in 32 64 128 256; do
        for policy in rpc random; do echo "$policy:interval=$value,window=8,ratio=4"; done
      done
      ;;
    # The paper's figure 8: how many of the latest queries choose.
    window)
      for value in 1 4 8 16 32; do
        for policy in rpc random; do echo "$policy:interval=64,window=$value,ratio=4"; done
      done
      ;;
    # The paper's table 2: one list of rows per layer, or one per KV head.
    granularity)
      for value in "" ,granularity=kv_head; do
        for policy in rpc random; do echo "$policy:$base,ratio=4$value"; done
      done
      ;;
    *) die "there is no set '$1'; there are main, interval, window, granularity and all" ;;
  esac
}

run_set() {
  local arms arm compare=()
  arms=$(arms_of "$1")
  for arm in $arms; do compare+=(--compare "$arm"); done
  say "$1: $problems problems"
  "$laconic" eval -m "$root/models/pocket" --task "$root/models/pocket/test.jsonl" \
    --limit "$problems" "${compare[@]}" --by-family --max-tokens 2500 --threads 1 \
    --samples "$out/samples-$problems.jsonl" --json "$out/$1-$problems.json"
}

[[ $set == all ]] || arms_of "$set" >/dev/null
"$root/scripts/install-packages.sh" build test
say "build release"
build_preset release --target laconic_cli
laconic=$root/build/release/laconic
mkdir -p "$out"
if [[ $set == all ]]; then
  for one in main interval window granularity; do run_set "$one"; done
else
  run_set "$set"
fi
