#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check-instructions.sh [--renew]: instructions that a small fixed job takes, counted by valgrind, must
# stay within 3 % of scripts/instructions.json. --renew writes what was counted there: do so where a
# change of speed was meant, and commit it with that change. LACONIC names a binary instead of building.
#
# Counts do not depend on the machine's load or clock. valgrind 3.19 has no AVX-512, so that the AVX2
# kernels are what is counted; one thread, and of the
# process only what Decoder::forward does. Half a minute at most beside the build.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

baseline=$root/scripts/instructions.json
mode=check
[[ ${1-} == --renew ]] && mode=renew && shift
(($# == 0)) || die "unknown argument '$1'; there is --renew"

skip() {
  echo "SKIPPED: $*"
  exit 0
}
[[ $(uname -m) == x86_64 ]] || skip "the baseline is of x86-64, this is $(uname -m)"
command -v valgrind >/dev/null || skip "no valgrind; scripts/install-packages.sh check brings it"

if [[ -z ${LACONIC-} ]]; then
  build_preset release --target laconic_cli >&2
  LACONIC=$root/build/release/laconic
fi
# What compiled it, as the compiler leaves it in the file: another one makes other instructions.
compiler=$(readelf -p .comment "$LACONIC" | grep -om1 'GCC: .*\|clang version [0-9.]*' || echo unknown)

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# count TYPE TOKENS: instructions of a prompt of 64 tokens and an answer of so many.
count() {
  local model=$scratch/$1.gguf out=$scratch/out
  [[ -f $model ]] || "$LACONIC" make-model --like tiny --type "$1" --out "$model" --seed 1 >/dev/null 2>&1
  LACONIC_SIMD=AVX2 valgrind --tool=callgrind \
    --callgrind-out-file="$out" --toggle-collect='laconic::Decoder::forward(*' \
    "$LACONIC" run -m "$model" --ids "$(seq -s, 1 64)" -n "$2" --temp 0 --ignore-eos -t 1 --json \
    >/dev/null 2>"$scratch/log" || {
    cat "$scratch/log" >&2
    die "the job failed under valgrind"
  }
  sed -n 's/^\(summary\|totals\): *//p' "$out" | head -n 1
}

counts=()
for type in q8_0 q4_0; do
  prompt=$(count "$type" 1)
  both=$(count "$type" 17)
  ((prompt > 0 && both > prompt)) || die "nothing was counted: was Decoder::forward renamed?"
  counts+=("$type.prompt_64=$prompt" "$type.decode_16=$((both - prompt))")
done

python3 - "$mode" "$baseline" "$compiler" "${counts[@]}" <<'PYTHON'
import json
import sys

ALLOWED = 0.03
mode, path, compiler, *counts = sys.argv[1:]
now = {name: int(value) for name, value in (word.split("=") for word in counts)}
if mode == "renew":
    with open(path, "w", encoding="utf-8") as out:
        json.dump({"compiler": compiler, "instructions": now}, out, indent=2)
        out.write("\n")
    print(f"written: {path}")
    sys.exit()
with open(path, encoding="utf-8") as file:
    committed = json.load(file)
if committed["compiler"] != compiler:
    print(f"SKIPPED: the baseline is of {committed['compiler']}, this binary of {compiler}")
    sys.exit()
wrong = set(now) ^ set(committed["instructions"])
for name, value in now.items():
    before = committed["instructions"].get(name)
    if before is None:
        continue
    change = value / before - 1
    print(f"{name:16} {value:12,} instructions, {change * 100:+.2f} % of the baseline")
    if abs(change) > ALLOWED:
        wrong.add(name)
if wrong:
    sys.exit(f"check-instructions.sh: {', '.join(sorted(wrong))}: more than {ALLOWED * 100:.0f} % from "
             "the baseline. Slower without a reason: look with callgrind_annotate for what grew. Faster, "
             "or slower on purpose: scripts/check-instructions.sh --renew, and commit the file.")
PYTHON
