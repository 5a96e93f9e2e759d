# SPDX-License-Identifier: Apache-2.0
"""What the benches in Python share: the binary, models at published shapes, tables."""
import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))


def fail(words):
    sys.exit(f"{pathlib.Path(sys.argv[0]).name}: {words}")


def say(words):
    print(words, file=sys.stderr, flush=True)


def output_of(command):
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE,
                          stdin=subprocess.DEVNULL, text=True)
    if done.returncode != 0:
        fail(f"exit {done.returncode} from: {' '.join(map(str, command))}")
    return done.stdout


def json_of(command):
    return json.loads(output_of(command))


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
