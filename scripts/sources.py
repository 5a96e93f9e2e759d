#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""sources.py SUFFIX ...: the project's own files with these endings, one per line."""
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def sources(*suffixes):
    """Paths relative to ROOT: what git tracks or would add; every file where git is absent."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        listed = [str(p.relative_to(ROOT)) for p in ROOT.rglob("*")
                  if p.is_file() and p.relative_to(ROOT).parts[0] not in ("build", ".git")]
    return sorted({path for path in listed
                   if path.endswith(suffixes) and (ROOT / path).is_file()})


if __name__ == "__main__":
    print("\n".join(sources(*sys.argv[1:])))
