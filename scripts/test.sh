#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# test.sh [CTEST OPTION ...]: installs what is lacking, builds release with the trainer and runs the
# tests. Without options all of them; `scripts/test.sh -L fast` leaves the slow ones out. Tests whose
# data or tools are absent skip and say so.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

"$root/scripts/install-packages.sh" build test train

say "build release"
build_preset release -DLACONIC_TRAIN=ON

say "tests"
# Tests share the cores: a thread of the trainer's OpenMP that waits must sleep, not spin.
export OMP_WAIT_POLICY=passive
results=$root/build/release/test-results.xml
status=0
ctest --test-dir "$root/build/release" --output-on-failure --no-tests=error \
  --parallel "$(nproc)" --output-junit "$results" "$@" || status=$?

say "summary"
python3 "$root/scripts/test-summary.py" "$results"
exit "$status"
