#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# table-policies.sh [PROBLEMS [SET]]: every cache policy on pocket; the tables of
# docs/kv-compression.md.
#
# SET is one of
#   half, quarter  generated rows, at their peak, 1/2 or 1/4 of the full cache's, by ratio
#   eighth         1/8: by ratio where the prompt is protected, by fixed budgets where it is not
#   kld            how far the arms of half and quarter move predictions, on at most 100 answers
#   passcode       the passcode study, PROBLEMS / 25 problems of each kind and count
#   heads          heads that differ, chosen by random scores
#   time           what policies cost, on random weights at the shape of Qwen3-0.6B
# `all`, the default, runs all but time, one after the other.
#
# Every policy stands there with the prompt protected and without; half, quarter and eighth are
# followed by the same arms against random. Answers are kept in build/policies as
# samples-PROBLEMS.jsonl (the passcode study has problems, and a file, of its own): a run that was
# stopped goes on, and no arm is decoded twice. The numbers of a set lie beside it as
# SET-PROBLEMS.json. One thread: pocket's products are too small to share.
set -euo pipefail
# shellcheck source=scripts/demo-model.sh
source "$(dirname "${BASH_SOURCE[0]}")/demo-model.sh"

problems=${1:-500}
set=${2:-all}
out=$root/build/policies
pocket=$root/models/pocket
policies=(rpc h2o tova streaming snapkv rkv recency knorm random)
sets=(half quarter eighth kld passcode heads)

# "--compare ARM" of each arm, in the array `compare`.
compare=()
compare_with() {
  local arm
  compare=()
  for arm in "$@"; do compare+=(--compare "$arm"); done
}

# Every policy with these options, in the array `arms`.
arms=()
add_policies() {
  local policy
  for policy in "${policies[@]}"; do arms+=("$policy:$1"); done
}

# The problems of the tables, under the arms in `compare`.
evaluate() {
  "$laconic" eval -m "$pocket" --task "$pocket/test.jsonl" --limit "$problems" --max-tokens 2500 \
    --threads 1 --samples "$out/samples-$problems.jsonl" "${compare[@]}" "$@"
}

# The arms of a set, random's first, with the prompt protected or open: one on a line.
arms_of() {
  python3 - "$out/$1-$problems.json" "$2" <<'PY'
import json, sys

with open(sys.argv[1], encoding="utf-8") as file:
    arms = json.load(file)["arms"]
wanted = sys.argv[2] == "protected"
names = [arm["name"] for arm in arms
         if arm["policy"] != "full" and arm["options"]["protect-prompt"] == wanted]
print("\n".join(sorted(names, key=lambda name: not name.startswith("random"))))
PY
}

# run_matched SET FRACTION OPTIONS OPTIONS: every policy, with the prompt protected (the first
# options) and not, against full; then both groups against random, decoded already.
run_matched() {
  local set=$1 fraction=$2 prompt names
  say "$set: $problems problems, against full"
  arms=(full)
  add_policies "$3"
  add_policies "$4,protect-prompt=false"
  arms+=("streaming:$4,positions=cache,protect-prompt=false")
  compare_with "${arms[@]}"
  evaluate --match peak --at "$fraction" --by-family --measures --json "$out/$set-$problems.json"
  for prompt in protected open; do
    say "$set: prompt $prompt, against random"
    names=$(arms_of "$set" "$prompt")
    mapfile -t arms <<<"$names"
    compare_with "${arms[@]}"
    evaluate --json "$out/$set-$prompt-$problems.json"
  done
}

run_kld() {
  local answers=$((problems < 100 ? problems : 100)) set prompt names more
  local samples=$out/kld-samples-$answers.jsonl
  arms=(full)
  for set in half quarter; do
    [[ -f $out/$set-$problems.json ]] ||
      die "kld compares the arms of half and quarter: run '$0 $problems $set' first"
    for prompt in protected open; do
      names=$(arms_of "$set" "$prompt")
      mapfile -t more <<<"$names"
      arms+=("${more[@]}")
    done
  done
  say "kld: along $answers answers"
  "$laconic" eval -m "$pocket" --task "$pocket/test.jsonl" --limit "$answers" --max-tokens 2500 \
    --threads 1 --samples "$samples" --compare full
  compare_with "${arms[@]}"
  "$laconic" eval -m "$pocket" --kld "$samples" --threads 1 "${compare[@]}" \
    --json "$out/kld-$problems.json"
}

# run_passcode protected|open OPTIONS: accuracy by the number of compressions, and its plot.
run_passcode() {
  local name=passcode-$1-$problems
  say "passcode, prompt $1"
  arms=(full)
  add_policies "interval=32,window=8,ratio=2$2"
  compare_with "${arms[@]}"
  "$laconic" eval -m "$pocket" --probe passcode --probe-problems $(((problems + 24) / 25)) \
    --probe-steps 48 --max-tokens 2500 --threads 1 "${compare[@]}" \
    --samples "$out/passcode-samples-$problems.jsonl" --json "$out/$name.json"
  python3 "$root/scripts/plot-probe.py" "$out/$name.json" "$out/$name.svg"
  say "plotted in $out/$name.svg"
}

run_heads() {
  local rows=rpc:interval=64,window=8,ratio=2 sparsity seed
  arms=(full)
  for sparsity in 0.25 0.5 0.75; do
    for seed in 1 2 3; do arms+=("full:heads=random:$seed,sparsity=$sparsity"); done
  done
  arms+=("$rows" "$rows,heads=random:1,sparsity=0.5")
  say "heads: $problems problems"
  compare_with "${arms[@]}"
  evaluate --by-family --json "$out/heads-$problems.json"
}

# All arms hold 32 newest rows, so that equal intervals and ratios are equal rows: what is slower
# than recency, which looks at nothing, is the policy's work.
run_time() {
  demo_model
  local policy
  arms=(full)
  for policy in recency rpc tova snapkv rkv knorm random h2o; do
    arms+=("$policy:interval=1024,ratio=4,window=32")
  done
  for policy in recency rpc h2o; do arms+=("$policy:interval=128,ratio=4,window=32"); done
  python3 "$root/bench/compression/run.py" --laconic "$laconic" --model "$model" --batch 1 \
    --generate 4096 --points 8 --repetitions 9 --threads "${LACONIC_THREADS:-$(nproc)}" \
    --json "$out/time.json" --svg "$out/time.svg" "${arms[@]}"
}

run_set() {
  case $1 in
    half) run_matched half 0.5 interval=64,window=8 interval=64,window=8 ;;
    quarter) run_matched quarter 0.25 interval=64,window=8 interval=64,window=8 ;;
    # A budget that must hold the longest prompt leaves the other answers more than an eighth. The
    # 512 only say that a budget is to be chosen.
    eighth) run_matched eighth 0.125 interval=32,window=8 interval=32,window=8,budget=512 ;;
    kld) run_kld ;;
    passcode)
      run_passcode protected ""
      run_passcode open ",protect-prompt=false"
      ;;
    heads) run_heads ;;
    time) run_time ;;
  esac
}

case $set in
  half | quarter | eighth | kld | passcode | heads | time | all) ;;
  *) die "there is no set '$set'; there are ${sets[*]}, time and all" ;;
esac
command -v python3 >/dev/null || "$root/scripts/install-packages.sh" test
demo_binary
mkdir -p "$out"
if [[ $set == all ]]; then
  for one in "${sets[@]}"; do run_set "$one"; done
else
  run_set "$set"
fi
