# SPDX-License-Identifier: Apache-2.0
"""The engines that are compared. Each has a name and measures one test: seconds.

A test is a dict of `prompt` (tokens read), or `generate` (steps), `depth` (tokens before them) and
`batch` (sequences). None means that this engine cannot do the test.
"""
import json
import pathlib
import re
import subprocess
import tempfile

from bench_tools import fail, json_of, output_of

HERE = pathlib.Path(__file__).resolve().parent


class Laconic:
    name = "laconic"

    def __init__(self, binary, model, threads):
        self.command = [binary, "bench", "-m", model, "-t", threads, "-r", 1, "-o", "json",
                        "--kv-type", "f16"]
        self.reads = []  # bandwidth, as each run measured it

    def measure(self, test):
        if "prompt" in test:
            more = ["-p", test["prompt"], "-n", 0]
        else:
            more = ["-p", 0, "-n", test["generate"], "-d", test["depth"]]
        row = json_of([*self.command, "-b", test.get("batch", 1), *more])[0]
        self.reads.append(row["read_bandwidth"])
        return row["avg_ns"] / 1e9

    def close(self):
        pass


class NodeLlamaCpp:
    """llama.cpp's prebuilt library, in a process that keeps the tokens it has read."""

    name = "llama.cpp"

    def __init__(self, modules, model, threads, settings):
        self.room = settings["room"]
        self.process = subprocess.Popen(
            ["node", str(HERE / "llama_cpp.mjs"), str(modules), model, str(threads)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.about = self.answer("the start")["system"]

    def answer(self, what):
        # Lines that are no objects are the library's own.
        for line in self.process.stdout:
            if line.startswith("{"):
                reply = json.loads(line)
                if "error" in reply:
                    fail(f"llama.cpp, {what}: {reply['error']}")
                return reply
        fail(f"llama.cpp ended at {what}")
        return None

    def measure(self, test):
        room = self.room if test.get("batch", 1) == 1 else 0
        request = {"batch": 1, **test, "room": room}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return self.answer(json.dumps(test))["seconds"]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class LlamaBench:
    """llama-bench for prompts and depths, llama-batched-bench for batches; forks of them too."""

    def __init__(self, name, single, batched, model, threads, more):
        self.name = name
        # Some leave a log where they are run.
        self.folder = tempfile.TemporaryDirectory()
        self.single, self.batched = absolute(single), absolute(batched)
        self.common = ["-m", absolute(model), "-t", threads, *more]
        # Forks from before --n-depth say "tokens generated behind a prompt" in another way.
        words = help_of(self.single, self.folder.name)
        self.has_depth = "--n-depth" in words
        self.has_behind = "-gp" in words
        # A switch in some versions, on, off or auto in others.
        attention = re.search(r"--flash-attn\b[^\n]*", help_of(self.batched, self.folder.name))
        self.attention = [] if not attention else ["-fa"]
        if attention and re.search(r"\bon\b", attention.group()):
            self.attention.append("on")

    def measure(self, test):
        if test.get("batch", 1) > 1:
            return self.measure_batch(test)
        if self.single is None:
            return None
        if "prompt" in test:
            more = ["-p", test["prompt"], "-n", 0]
        elif test["depth"] == 0:
            more = ["-p", 0, "-n", test["generate"]]
        elif self.has_depth:
            more = ["-p", 0, "-n", test["generate"], "-d", test["depth"]]
        elif self.has_behind:
            more = ["-p", 0, "-n", 0, "-gp", f"{test['depth']},{test['generate']}"]
        else:
            return None
        rows = json_of([self.single, *self.common, "-r", 1, "-fa", 1, "-o", "json", *more],
                       self.folder.name)
        tokens = test.get("prompt", test.get("generate"))
        return tokens / rows[-1]["avg_ts"]

    def measure_batch(self, test):
        if self.batched is None:
            return None
        batch, depth = test["batch"], max(1, test["depth"])  # it reads one token at least
        room = batch * (depth + test["generate"] + 8)
        # Some versions print the table on stderr.
        printed = output_of([self.batched, *self.common, "-c", room, "-b", 2048, "-ub", 512,
                             *self.attention, "-npp", depth, "-ntg", test["generate"], "-npl", batch],
                            errors=subprocess.STDOUT, folder=self.folder.name)
        return batched_seconds(printed, batch)

    def close(self):
        self.folder.cleanup()


def absolute(path):
    return path and str(pathlib.Path(path).resolve())


def help_of(binary, folder):
    if binary is None:
        return ""
    return subprocess.run([binary, "--help"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          cwd=folder, text=True).stdout


def batched_seconds(printed, batch):
    """T_TG of the row with B = batch in llama-batched-bench's table."""
    head = None
    for line in printed.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if "B" in cells and any(cell.startswith("T_TG") for cell in cells):
            head = cells
        elif head and len(cells) == len(head) and cells[head.index("B")] == str(batch):
            return float(cells[next(i for i, c in enumerate(head) if c.startswith("T_TG"))])
    fail("llama-batched-bench printed no table")
    return None
