#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check-simd-ratio.py LACONIC: the AVX-512 kernels must be faster than the AVX2 kernels.

Both targets read the same prompt of models/pocket in Q8_0, in turns, one thread; the fastest sample
of each counts. Asked for is far less than what a quiet machine gives, and a turn that falls short
only asks for another one, so that what fails is a path that went missing and not a busy machine. Skipped
where the CPU has no AVX-512 with VNNI; a build without that path fails there.
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "bench"))
from bench_tools import ROOT, fail, json_of  # noqa: E402

LEAST = 1.1   # times as fast
TURNS = 8      # at most


def fastest(laconic, target):
    row = json_of([laconic, "bench", "-m", ROOT / "models" / "pocket", "--quantize", "q8_0",
                   "-p", 256, "-n", 0, "-b", 1, "-r", 15, "-t", 1, "-o", "json", "--simd", target])[0]
    return min(row["samples_ns"])


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: check-simd-ratio.py LACONIC")
    laconic = sys.argv[1]
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        if "avx512_vnni" not in file.read():
            print("SKIPPED: this CPU has no AVX-512 VNNI; AVX2 and AVX3_VNNI are compared")
            return 0
    available = json_of([laconic, "inspect", "--system", "--json"])["simd_available"]
    if not {"AVX2", "AVX3_VNNI"} <= set(available):
        fail(f"this CPU has AVX-512 VNNI, but laconic offers {', '.join(available)}")
    best = {"AVX2": float("inf"), "AVX3_VNNI": float("inf")}
    for turn in range(TURNS):
        for target in best:
            best[target] = min(best[target], fastest(laconic, target))
        ratio = best["AVX2"] / best["AVX3_VNNI"]
        if turn >= 1 and ratio >= LEAST:
            break
    print(f"AVX3_VNNI is {ratio:.2f} times as fast as AVX2 ({turn + 1} turns; at least {LEAST})")
    return 0 if ratio >= LEAST else 1


if __name__ == "__main__":
    sys.exit(main())
