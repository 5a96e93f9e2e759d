# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What the scripts share; sourced, not run. Sets `root`, the project's folder.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Compilers go through ccache when it is there: a second build costs seconds.
if command -v ccache >/dev/null; then
  export CMAKE_CXX_COMPILER_LAUNCHER=${CMAKE_CXX_COMPILER_LAUNCHER-ccache}
  # Precompiled headers are cached only on these terms.
  export CCACHE_SLOPPINESS=${CCACHE_SLOPPINESS-pch_defines,time_macros}
fi

say() { printf '\n== %s\n' "$*"; }

die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# build_preset PRESET [CMAKE OPTION ...] [--target NAME ...]: configures and builds build/PRESET.
# Warnings are errors with LACONIC_WERROR=ON in the environment.
build_preset() {
  local preset=$1 options=() targets=()
  shift
  while (($#)); do
    if [[ $1 == --target ]]; then
      targets+=(--target "$2")
      shift 2
    else
      options+=("$1")
      shift
    fi
  done
  local folder=$root/build/$preset log
  mkdir -p "$folder"
  log=$folder/configure.log
  (cd "$root" && cmake --preset "$preset" -DLACONIC_WERROR="${LACONIC_WERROR:-OFF}" \
    ${options[@]+"${options[@]}"}) >"$log" 2>&1 || {
    cat "$log" >&2
    die "configuring the preset '$preset' failed"
  }
  cmake --build "$folder" ${targets[@]+"${targets[@]}"} ||
    die "building the preset '$preset' failed"
}
