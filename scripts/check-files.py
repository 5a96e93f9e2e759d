#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every source file: at most 800 lines, a licence line first, headers guarded, no marks left."""
import re
import statistics
import sys

from sources import ROOT, sources

MOST_LINES = 800
MARKS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


def complaints(path, lines):
    if len(lines) > MOST_LINES:
        yield f"{len(lines)} lines, at most {MOST_LINES} are allowed: split it by idea"
    if not lines or lines[0] != "// SPDX-License-Identifier: Apache-2.0":
        yield "the first line must be the SPDX line"
    # Highway includes a -inl.h once per SIMD target: its guard is another one.
    if path.endswith(".h") and not path.endswith("-inl.h") and "#pragma once" not in lines:
        yield "a header needs #pragma once"
    for number, line in enumerate(lines, 1):
        if MARKS.search(line):
            yield f"line {number}: a mark was left: {line.strip()}"


def main():
    sizes, wrong = [], 0
    for path in sources(".h", ".cc"):
        lines = (ROOT / path).read_text().splitlines()
        sizes.append(len(lines))
        for problem in complaints(path, lines):
            wrong += 1
            print(f"{path}: {problem}")
    median = statistics.median(sizes) if sizes else 0
    print(f"{len(sizes)} files, median {median:.0f} lines, longest {max(sizes, default=0)}, "
          f"{wrong} complaints")
    return 1 if wrong or not sizes else 0


if __name__ == "__main__":
    sys.exit(main())
