#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the benches share: medians, tables, options and outputs."""
import pathlib
import sys
import tempfile
import unittest
from unittest import mock

from bench_testing import script

import bench_tools

peers, compression = script("peers"), script("compression")


class Tools(unittest.TestCase):
    def test_medians(self):
        self.assertEqual(bench_tools.median([3.0, 1.0, 2.0]), 2.0)
        self.assertEqual(bench_tools.median([4.0, 1.0, 2.0, 3.0]), 2.5)
        self.assertEqual(bench_tools.median([7.0]), 7.0)

    def test_ratios_are_those_of_the_turns(self):
        # 8 / 4 would be the medians'.
        self.assertEqual(bench_tools.paired_ratio([8.0, 12.0, 6.0], [8.0, 4.0, 4.0]), 1.5)
        with self.assertRaises(ValueError):
            bench_tools.paired_ratio([1.0, 2.0], [1.0])

    def test_markdown(self):
        self.assertEqual(bench_tools.markdown(["a", "b"], [["x", "1"]]),
                         "| a | b |\n|---|---:|\n| x | 1 |")


class Options(unittest.TestCase):
    def options(self, module, *words):
        with mock.patch.object(sys, "argv", ["run.py", "--laconic", "laconic", *words]), \
                mock.patch.dict("os.environ", {"LACONIC_NODE_MODULES": "/nowhere"}):
            return module.parse()

    def test_both_share_what_they_have_in_common(self):
        for module, words in ((peers, ["--llama-bench", __file__]), (compression, [])):
            options = self.options(module, *words, "--threads", "3", "--batch", "2,4", "--model", "m.gguf")
            self.assertEqual((options.threads, options.batch, options.model), (3, [2, 4], "m.gguf"))
            self.assertTrue(pathlib.Path(options.laconic).is_absolute())

    def test_outputs_stand_in_the_folder_or_where_they_are_wanted(self):
        with tempfile.TemporaryDirectory() as folder:
            inner = pathlib.Path(folder) / "new"
            options = self.options(compression, "--folder", str(inner), "--svg", "other.svg")
            self.assertEqual(bench_tools.outputs_of(options, "compression"),
                             (inner / "compression.json", "other.svg"))
            self.assertTrue(inner.is_dir())

    def test_a_report_begins_with_the_machine(self):
        options = self.options(compression, "--threads", "3")
        report = bench_tools.report_of({"cpu": "c", "simd": "s"}, options, points=12)
        self.assertEqual(list(report), ["date", "cpu", "simd", "threads", "points"])
        self.assertEqual(report["threads"], 3)


if __name__ == "__main__":
    unittest.main()
