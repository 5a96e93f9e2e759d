#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The arrows between the rooms of src/, read from the #include lines.

A room includes its own headers, the rooms listed for it below, and laconic/. The public headers
and the examples include laconic/ and the standard library, nothing else.
"""
import re
import sys

from sources import ROOT, sources

ARROWS = {
    "base": set(),
    "text": {"base"},
    "io": {"base", "text"},
    "kernels": {"base"},
    "kv": {"base", "kernels"},
    "model": {"base", "text", "io", "kernels", "kv"},
    "engine": {"base", "text", "io", "kernels", "kv", "model"},
    "data": {"base", "text"},
    "eval": {"base", "text", "io", "kernels", "kv", "model", "engine", "data"},
    "train": {"base", "text", "io", "kv", "model", "engine", "data", "eval"},
    "cli": {"base", "text", "io", "kernels", "kv", "model", "engine", "data", "eval"},
}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def complaint(path, quote, target):
    parts = path.split("/")
    first = target.split("/")[0]
    if parts[0] in ("include", "examples"):
        if target.startswith("laconic/") or (quote == "<" and re.fullmatch(r"[a-z_]+", target)):
            return None
        return "may include only laconic/ and the standard library"
    room = parts[1]
    if room not in ARROWS:
        return f"lies in a room without arrows; add '{room}' to {sys.argv[0]}"
    if quote == "<":
        if first in ARROWS and "/" in target:
            return "is one of our own headers: write it in quotes"
        return None
    if first in ARROWS[room] | {room, "laconic"} or "/" in target and first not in ARROWS:
        return None
    if "/" not in target and not (ROOT / path).with_name(target).exists():
        return None
    if "/" not in target:
        return f"must be written from src/: \"{room}/{target}\""
    return f"is not among what {room} may include: {', '.join(sorted(ARROWS[room])) or 'nothing'}"


def main():
    checked, wrong = 0, 0
    for path in sources(".h", ".cc"):
        if not path.startswith(("src/", "include/", "examples/")):
            continue
        for number, line in enumerate((ROOT / path).read_text().splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            checked += 1
            problem = complaint(path, *match.groups())
            if problem:
                wrong += 1
                print(f"{path}:{number}: {match.group(2)} {problem}")
    print(f"{checked} includes, {wrong} against the arrows")
    return 1 if wrong or not checked else 0


if __name__ == "__main__":
    sys.exit(main())
