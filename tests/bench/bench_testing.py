# SPDX-License-Identifier: Apache-2.0
"""What the tests of the benches share: the scripts as modules, and what they print and draw."""
import contextlib
import importlib.util
import io
import pathlib
import sys
import tempfile
import unittest
from xml.etree import ElementTree

BENCH = pathlib.Path(__file__).resolve().parents[2] / "bench"
sys.path[:0] = [str(BENCH), str(BENCH / "peers"), str(BENCH.parent / "scripts")]


def script(name):
    """bench/NAME/run.py as a module: both are called run."""
    spec = importlib.util.spec_from_file_location(f"{name}_run", BENCH / name / "run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def cells(table):
    """Rows of a Markdown table, the head first and its rule left out."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    return [rows[0], *rows[2:]]


def drawn(plot, *given):
    """What `plot` writes: (bars as (colour, height), lines as (colour, [(x, y)]), texts)."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "plot.svg"
        plot(*given, path)
        page = list(ElementTree.parse(path).getroot().iter())
    bars = [(e.get("fill"), float(e.get("height"))) for e in page if e.tag.endswith("rect")][1:]
    lines = [(e.get("stroke"), [tuple(map(float, xy.split())) for xy in e.get("d")[1:].split("L")])
             for e in page if e.tag.endswith("path") and e.get("stroke-width") == "1.6"]
    return bars, lines, [e.text for e in page if e.tag.endswith("text")]


class Refusals(unittest.TestCase):
    @contextlib.contextmanager
    def refused(self, words):
        with self.assertRaises(SystemExit) as end, contextlib.redirect_stderr(io.StringIO()):
            yield
        self.assertIn(words, str(end.exception))
