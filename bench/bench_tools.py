# SPDX-License-Identifier: Apache-2.0
"""What the benches in Python share: options, the binary, models at published shapes, tables."""
import argparse
import datetime
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))


def fail(words):
    sys.exit(f"{pathlib.Path(sys.argv[0]).name}: {words}")


def say(words):
    print(words, file=sys.stderr, flush=True)


def output_of(command, errors=None, folder=None):
    """What it prints; with errors=subprocess.STDOUT what it says on stderr too."""
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=errors,
                          stdin=subprocess.DEVNULL, cwd=folder, text=True)
    if done.returncode != 0:
        if errors is not None:
            say(done.stdout)
        fail(f"exit {done.returncode} from: {' '.join(map(str, command))}")
    return done.stdout


def json_of(command, folder=None):
    return json.loads(output_of(command, folder=folder))


def find_laconic(given):
    """The binary: the given path, else that of the preset `release`, which is built."""
    if given:
        return str(pathlib.Path(given).resolve())
    # The build's own words go to stderr: stdout is the report's.
    built = subprocess.run(
        ["bash", "-c", 'source "$0" && build_preset release --target laconic_cli >&2',
         str(ROOT / "scripts" / "common.sh")])
    if built.returncode != 0:
        fail("laconic could not be built; --laconic takes a binary")
    return str(ROOT / "build" / "release" / "laconic")


def model_of(laconic, shape, kind, folder):
    """A GGUF with random weights at a published shape, made once."""
    path = pathlib.Path(folder) / f"{shape}-{kind}.gguf"
    if not path.exists():
        say(f"make {path.name}: random weights at the shape of {shape}")
        path.parent.mkdir(parents=True, exist_ok=True)
        output_of([laconic, "make-model", "--like", shape, "--out", path, "--type", kind])
    return str(path)


def system_of(laconic, threads):
    return json_of([laconic, "inspect", "--system", "--json", "-t", str(threads)])


def median(values):
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def paired_ratio(over, under):
    """Median quotient of values that were measured in the same turn.

    On a machine that changes within minutes it says more than the quotient of two medians, which
    may come from different minutes.
    """
    return median([a / b for a, b in zip(over, under, strict=True)])


def markdown(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def write_json(path, document):
    """Whole or not at all: a run that is stopped leaves what was there."""
    half = pathlib.Path(f"{path}.part")
    half.write_text(json.dumps(document, indent=1), encoding="utf-8")
    half.replace(path)


def numbers(words):
    return [int(word) for word in words.split(",")]


def model_options(words, like, like_words, instead="--like", model_words="a model"):
    """A parser for what `words` describe, with the options that say what is measured."""
    parser = argparse.ArgumentParser(description=words.splitlines()[0])
    parser.add_argument("--laconic", help="the binary (built where none is given)")
    parser.add_argument("--model", help=f"{model_words} of your own, instead of {instead}")
    parser.add_argument("--like", default=like, help=like_words)
    return parser


def machine_options(parser):
    parser.add_argument("--folder", default=str(ROOT / "build" / "bench"), help="of models and results")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))


def output_options(parser, name):
    parser.add_argument("--json", help=f"results (FOLDER/{name}.json)")
    parser.add_argument("--svg", help=f"plot (FOLDER/{name}.svg)")


def outputs_of(options, name):
    """Paths of the results and of the plot, in a folder that exists."""
    folder = pathlib.Path(options.folder)
    folder.mkdir(parents=True, exist_ok=True)
    return options.json or folder / f"{name}.json", options.svg or folder / f"{name}.svg"


def report_of(system, options, **more):
    """What every report begins with, and then what is its own."""
    return {"date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "cpu": system["cpu"], "simd": system["simd"], "threads": options.threads, **more}
