#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# install-packages.sh [build] [test] [train] [check] ...: installs the Debian 12 packages of these groups
# that are lacking; all groups without an argument. Says nothing and changes nothing when none is.
set -euo pipefail

build=(g++ cmake ninja-build pkg-config ccache nlohmann-json3-dev libcli11-dev libfmt-dev
  libhwy-dev libpcre2-dev libutf8proc-dev)
test=(libgtest-dev libgmock-dev librapidcheck-dev libbenchmark-dev python3 python3-jinja2)
train=(libtorch-dev)
check=(clang libclang-rt-14-dev clang-format shellcheck git valgrind)

wanted=()
for group in "${@:-all}"; do
  case $group in
    build) wanted+=("${build[@]}") ;;
    test) wanted+=("${test[@]}") ;;
    train) wanted+=("${train[@]}") ;;
    check) wanted+=("${check[@]}") ;;
    all) wanted+=("${build[@]}" "${test[@]}" "${train[@]}" "${check[@]}") ;;
    *)
      echo "install-packages.sh: unknown group '$group'; there are build, test, train and check" >&2
      exit 2
      ;;
  esac
done

# For systems where the libraries came another way.
[[ ${LACONIC_SKIP_PACKAGES:-0} == 1 ]] && exit 0
if ! command -v dpkg-query >/dev/null; then
  echo "install-packages.sh: this is no Debian system; install what these packages hold by hand" \
    "and set LACONIC_SKIP_PACKAGES=1: ${wanted[*]}" >&2
  exit 1
fi

lacking=()
for package in "${wanted[@]}"; do
  status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
  [[ $status == installed ]] || lacking+=("$package")
done
((${#lacking[@]})) || exit 0

as_root=()
if ((EUID != 0)); then
  if ! command -v sudo >/dev/null; then
    echo "install-packages.sh: needs root or sudo to install: ${lacking[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi

echo "installing ${lacking[*]}"
apt() {
  ${as_root[@]+"${as_root[@]}"} env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 "$@"
}
apt update
apt install -y --no-install-recommends "${lacking[@]}"
