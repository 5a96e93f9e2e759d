#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What bench/compression/run.py makes of answers that fit and of answers that do not."""
import argparse
import unittest
from unittest import mock

from bench_testing import Refusals, cells, drawn, script
from svg_plot import BOTTOM, COLOURS, HEIGHT, TOP

compression = script("compression")


class Arms(Refusals):
    def test_flags(self):
        self.assertEqual(compression.flags_of("full"), ["--kv-policy", "full"])
        self.assertEqual(compression.flags_of("full:heads=random:1,sparsity=0.5"),
                         ["--kv-policy", "full", "--kv-heads", "random:1", "--kv-sparsity", "0.5"])
        with self.refused("'interval' is no NAME=VALUE"):
            compression.flags_of("rpc:ratio=4,interval")

    def test_names(self):
        names = [compression.name_of(arm) for arm in [*compression.ARMS, "tova:interval=512",
                                                      "rpc:heads=a=b,sparsity=0.5"]]
        self.assertEqual(names, ["full", "rpc P=1024 c=4", "rpc P=4096 c=4", "h2o P=1024 c=4",
                                 "head-wise 0.5", "tova:interval=512", "rpc head-wise 0.5"])


def mark(length, speed):
    """One length of an answer; no speed: it does not fit."""
    if speed is None:
        return {"n_gen": length, "fits": False}
    return {"n_gen": length, "fits": True, "avg_ts": speed, "kv_peak_bytes": length * 2**20,
            "compression_seconds": 0.5, "seconds": 50.0, "bytes_per_second": 20e9}


def row(arm, speeds):
    marks = [mark(length, speed) for length, speed in zip((1024, 2048, 4096), speeds)]
    return {"shape": "tiny", "batch": 8, "arm": arm, "name": compression.name_of(arm),
            "read_bandwidth": 40e9, "marks": marks}


class Compression(unittest.TestCase):
    FULL = row("full", [100.0, 50.0, None])
    RPC = row("rpc:interval=1024,ratio=4", [100.0, 75.0, 60.0])
    NONE = row("h2o:ratio=4", [None, None, None])

    def test_cells(self):
        self.assertEqual(compression.cell({**mark(1024, 75.0), "over_full": 1.5}), "75.0 (1.50x)")
        self.assertEqual(compression.cell(mark(1024, 75.0)), "75.0")
        self.assertEqual(compression.cell(mark(1024, None)), "does not fit")

    def test_ratios_are_those_of_the_turns(self):
        # The whole machine is half as fast in the second turn.
        full = [row("full", [100.0, 80.0, None]), row("full", [50.0, 40.0, None]),
                row("full", [100.0, 90.0, None])]
        rpc = [row("rpc:ratio=4", [100.0, 96.0, 60.0]), row("rpc:ratio=4", [60.0, 48.0, 30.0]),
               row("rpc:ratio=4", [120.0, 99.0, 80.0])]
        marks = compression.middle_of(rpc, full)["marks"]
        self.assertEqual([m["avg_ts"] for m in marks], [100.0, 96.0, 60.0])
        self.assertEqual([m.get("over_full") for m in marks], [1.2, 1.2, None])
        self.assertNotIn("over_full", compression.middle_of(rpc, [])["marks"][0])

    def test_table(self):
        rpc = compression.middle_of([row(self.RPC["arm"], [100.0, 75.0, 60.0])], [self.FULL])
        elsewhere = {**self.RPC, "batch": 16}
        table = cells(compression.table([self.FULL, rpc, elsewhere, self.NONE], "tiny", 8))
        self.assertEqual(table, [
            ["cache", "1024", "2048", "4096", "peak KV MiB", "in compressions", "% of read"],
            ["full", "100.0", "50.0", "does not fit", "2048", "1.00 %", "50 %"],
            ["rpc P=1024 c=4", "100.0 (1.00x)", "75.0 (1.50x)", "60.0", "4096", "1.00 %", "50 %"],
            ["h2o:ratio=4", "does not fit", "does not fit", "does not fit", "-", "-", "-"]])

    def test_table_without_the_full_cache(self):
        self.assertEqual(cells(compression.table([self.RPC], "tiny", 8))[1][1:4], ["100.0", "75.0", "60.0"])

    def test_the_turn_of_median_speed_counts(self):
        speeds = iter([100.0, 8.0, 200.0, 9.0])
        options = argparse.Namespace(arms=["full"], repetitions=4)
        with mock.patch.object(compression, "measure",
                               lambda *_: row("full", [99.0, next(speeds), None])):
            chosen = compression.measure_in_turns(options, "tiny", "m.gguf", 8)
        self.assertEqual([compression.speed_of(one) for one in chosen], [9.0])
        self.assertEqual(compression.speed_of(self.NONE), 0)

    def test_a_line_of_the_plot_ends_where_memory_does(self):
        faster = row(self.RPC["arm"], [200.0, 150.0, 100.0])
        _, lines, texts = drawn(compression.plot, [self.FULL, self.NONE, faster])
        self.assertEqual([(colour, len(points)) for colour, points in lines],
                         [(COLOURS[0], 2), (COLOURS[2], 3)])
        for _, points in lines:
            for _, y in points:
                self.assertTrue(TOP < y < HEIGHT - BOTTOM)
        self.assertEqual([texts.count(r["name"]) for r in (self.FULL, self.NONE, self.RPC)], [1, 1, 1])

    def test_a_plot_of_nothing_that_fits(self):
        self.assertEqual(drawn(compression.plot, [self.NONE])[1:], ([], []))


if __name__ == "__main__":
    unittest.main()
