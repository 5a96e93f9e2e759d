#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check-readme.py BUILD_DIR: the commands of README.md do what the page says.

Every line of a fenced sh or bash block is looked at, in order. `laconic ...` and
`python3 examples/...` run in a scratch folder that shares the project's examples/ and models/ and
must succeed; scripts and benches must exist and be executable; git, cmake and their like are left alone. A
block after <!-- needs: checkpoint --> is not run: its subcommands and flags must be in
`laconic ... --help`.
Links between the project's pages must lead somewhere.
"""
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

from sources import ROOT, sources

NEEDS = "<!-- needs: checkpoint -->"
LEFT_ALONE = {"git", "cd", "export", "cmake", "ctest"}
SECONDS = 120


def commands(text):
    """(line number, command, whether it needs a checkpoint) of the fenced shell blocks."""
    inside, needs, pending, start = False, False, "", 0
    last_text = ""
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("```"):
            inside = not inside and re.fullmatch(r"```(sh|bash)", line) is not None
            needs = last_text == NEEDS
            pending = ""
        elif inside:
            start = start if pending else number
            pending += line
            if pending.endswith("\\"):
                pending = pending[:-1] + " "
                continue
            if pending.strip() and not pending.lstrip().startswith("#"):
                yield start, pending.strip(), needs
            pending = ""
        if line.strip():
            last_text = line.strip()


def known_flags(words, binary):
    """A complaint about subcommands or flags that --help does not name, or None."""
    subcommand = []
    for word in words[1:]:
        if not re.fullmatch(r"[a-z][a-z-]*", word) or len(subcommand) == 2:
            break
        subcommand.append(word)
        if word != "kv":
            break
    done = subprocess.run([binary, *subcommand, "--help"], capture_output=True, text=True)
    if done.returncode != 0:
        return f"no help for '{' '.join(subcommand)}': {done.stderr.strip()}"
    named = set(re.findall(r"(?<![\w-])--?[A-Za-z][\w-]*", done.stdout))
    unknown = [word for word in words[1:]
               if re.match(r"--?[A-Za-z]", word) and word.split("=")[0] not in named]
    return f"--help does not know {', '.join(unknown)}" if unknown else None


def check(command, needs, scratch, environment, binary):
    """(what was done, complaint or None)."""
    words = shlex.split(command, comments=True)
    first = words[0]
    if first == "bash" and len(words) > 1:
        return "exists", None if (ROOT / words[1]).is_file() else f"no file {words[1]}"
    if first.startswith(("scripts/", "bench/")):
        fine = os.access(ROOT / first, os.X_OK)
        return "exists", None if fine else f"{first} is not an executable file"
    if first in LEFT_ALONE:
        return "left alone", None
    if first == "laconic" and needs:
        return "flags known", known_flags(words, binary)
    if first == "laconic" or words[:1] == ["python3"] and words[1].startswith("examples/"):
        try:
            done = subprocess.run(["bash", "-euo", "pipefail", "-c", command], cwd=scratch,
                                  env=environment, stdin=subprocess.DEVNULL, capture_output=True,
                                  text=True, errors="replace", timeout=SECONDS)
        except subprocess.TimeoutExpired:
            return "ran", f"still running after {SECONDS} s"
        said = (done.stderr or done.stdout).strip()
        return "ran", f"exit {done.returncode}: {said[-400:]}" if done.returncode else None
    return "", "not a command this check knows"


def dead_links():
    """Relative links of all pages that lead nowhere, as complaints."""
    for page in sources(".md"):
        for target in re.findall(r"\]\(([^)#]+)", (ROOT / page).read_text()):
            if "://" not in target and not (ROOT / page).parent.joinpath(target).exists():
                yield f"{page}: the link to {target} leads nowhere"


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: check-readme.py BUILD_DIR")
    build = pathlib.Path(sys.argv[1]).resolve()
    environment = dict(os.environ, PATH=f"{build}:{os.environ['PATH']}")
    counts = {}
    wrong = 0
    for problem in dead_links():
        wrong += 1
        print(problem)
    with tempfile.TemporaryDirectory() as scratch:
        for shared in ("examples", "models"):
            (pathlib.Path(scratch) / shared).symlink_to(ROOT / shared)
        for number, command, needs in commands((ROOT / "README.md").read_text()):
            done, problem = check(command, needs, scratch, environment, str(build / "laconic"))
            counts[done] = counts.get(done, 0) + 1
            if problem:
                wrong += 1
                print(f"README.md:{number}: {command}\n    {problem}")
    print(", ".join(f"{count} {what}" for what, count in counts.items() if what) +
          f"; {wrong} complaints")
    return 1 if wrong or not counts.get("ran") else 0


if __name__ == "__main__":
    sys.exit(main())
