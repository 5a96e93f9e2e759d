#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What bench/peers/run.py computes from what engines say, and what it refuses."""
import argparse
import unittest
from unittest import mock

from bench_testing import Refusals, cells, drawn, script

import engines
from svg_plot import COLOURS

peers = script("peers")
NAMES = ["laconic", "llama.cpp", "ik_llama.cpp"]
PROMPT = {"prompt": 512}
DEPTH = {"generate": 32, "depth": 64, "batch": 1}
BATCH = {"generate": 32, "depth": 0, "batch": 16}


class BatchedBench(Refusals):
    HEAD = "|  PP |  TG |    B | N_KV | T_PP s | S_PP t/s |   T_TG s | S_TG t/s |    T s |  S t/s |\n"
    RULE = "|-----|-----|------|------|--------|----------|----------|----------|--------|--------|\n"
    ROW = "|   1 |  32 |   16 |  528 |  0.022 |    91.86 |    3.140 |   163.06 |  3.162 | 166.98 |\n"

    def test_reads_the_row_of_the_batch(self):
        other = self.ROW.replace("   16 ", "    4 ").replace("3.140", "9.000")
        printed = f"main: n_kv_max = 768\n\n{self.HEAD}{self.RULE}{other}{self.ROW}\ntimings: | B |\n"
        self.assertEqual(engines.batched_seconds(printed, 16), 3.14)
        self.assertEqual(engines.batched_seconds(printed, 4), 9.0)

    def test_refuses_what_has_no_such_row(self):
        for printed in ("", self.HEAD + self.RULE + self.ROW, self.ROW):
            with self.refused("printed no table"):
                engines.batched_seconds(printed, 4)


class Environment(unittest.TestCase):
    def test_settings_of_openmp_stay_behind(self):
        environment = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "0", "KMP_BLOCKTIME": "0",
                       "HOME": "/", "LACONIC_SIMD": "AVX2"}
        peers.drop_openmp_settings(environment)
        self.assertEqual(sorted(environment), ["HOME", "LACONIC_SIMD"])


class LlamaBench(unittest.TestCase):
    def command(self, words, test):
        """What is run for `test` where --help says `words`, and the seconds that are read off it."""
        with mock.patch.object(engines, "help_of", return_value=words), \
                mock.patch.object(engines, "json_of", return_value=[{"avg_ts": 16.0}]) as run:
            bench = engines.LlamaBench("fork", "llama-bench", None, "m.gguf", 2, ["-rtr", "1"])
            seconds = bench.measure(test)
            bench.close()
        return " ".join(map(str, run.call_args.args[0])) if run.called else None, seconds

    def test_depth_is_asked_as_the_version_knows_it(self):
        command, seconds = self.command("-gp --n-depth", DEPTH)
        self.assertTrue(command.endswith("-p 0 -n 32 -d 64"))
        self.assertIn("-rtr 1", command)
        self.assertEqual(seconds, 2.0)
        self.assertTrue(self.command("-gp <pp,tg>", DEPTH)[0].endswith("-p 0 -n 0 -gp 64,32"))
        self.assertEqual(self.command("", DEPTH), (None, None))
        self.assertTrue(self.command("", {**DEPTH, "depth": 0})[0].endswith("-p 0 -n 32"))

    def test_prompts_count_their_tokens(self):
        command, seconds = self.command("", PROMPT)
        self.assertTrue(command.endswith("-p 512 -n 0"))
        self.assertEqual(seconds, 32.0)

    def test_batches_need_the_sister(self):
        self.assertEqual(self.command("", BATCH), (None, None))


class Bytes(unittest.TestCase):
    def test_a_step_reads_weights_once_and_rows_of_each_sequence(self):
        # Of 3 steps behind 10 rows the mean reads 12: its own row is among them.
        test = {"generate": 3, "depth": 10, "batch": 2}
        self.assertAlmostEqual(peers.gigabytes(test, 0.5, 1e9, 1e6), 3 * (1 + 2 * 12e-3) / 0.5)

    def test_prompts_have_no_rate(self):
        self.assertIsNone(peers.gigabytes(PROMPT, 0.5, 1e9, 1e6))


class Peers(unittest.TestCase):
    def result(self, kind, test, seconds):
        return peers.result_of("folder/m.gguf", kind, test, seconds, (10**9, 10**6))

    def results(self):
        """q8_0 with all engines, q4_k_m with one that cannot do depths."""
        return [self.result("q8_0", PROMPT, {"laconic": [1.0, 9.0, 2.0], "llama.cpp": [2.0, 18.0, 4.0],
                                             "ik_llama.cpp": [3.0, 27.0, 2.4]}),
                self.result("q8_0", BATCH, {"laconic": [4.0], "llama.cpp": [8.0], "ik_llama.cpp": [5.0]}),
                self.result("q4_k_m", DEPTH, {"laconic": [1.0], "llama.cpp": [2.0], "ik_llama.cpp": []})]

    def test_plan(self):
        options = argparse.Namespace(prompt=[0, 512], depth=[64, 0], batch=[1, 16], generate=32)
        self.assertEqual(peers.plan(options), [PROMPT, {**DEPTH, "depth": 0}, DEPTH, BATCH])
        self.assertEqual([peers.label(t) for t in (PROMPT, DEPTH, BATCH)],
                         ["prompt 512", "decode, depth 64", "decode, batch 16"])

    def test_results_are_of_the_median_turn(self):
        one = self.results()[0]
        self.assertEqual(one["engines"]["laconic"], {"seconds": [1.0, 9.0, 2.0], "tokens_per_second": 256.0,
                                                     "gigabytes_per_second": None})
        self.assertEqual((one["model"], one["weight_bytes_per_step"], one["row_bytes_per_token"]),
                         ("m.gguf", 10**9, 10**6))
        batch = self.results()[1]["engines"]["laconic"]
        self.assertEqual(batch["tokens_per_second"], 16 * 32 / 4.0)
        self.assertAlmostEqual(batch["gigabytes_per_second"], 32 * (1 + 16 * 16.5e-3) / 4)

    def test_an_engine_without_turns_is_left_out(self):
        self.assertEqual(list(self.results()[2]["engines"]), ["laconic", "llama.cpp"])

    def test_table_of_three(self):
        head, prompt, batch, depth = cells(peers.table(self.results(), NAMES, 40e9))
        self.assertEqual(head, ["test", "weights", "laconic t/s", "GB/s", "llama.cpp t/s", "GB/s",
                                "ik_llama.cpp t/s", "GB/s", "over llama.cpp", "over ik_llama.cpp",
                                "% of read"])
        self.assertEqual(prompt, ["prompt 512", "q8_0", "256.0", "-", "128.0", "-", "170.7", "-",
                                  "2.00x", "3.00x", "-"])
        self.assertEqual(batch, ["decode, batch 16", "q8_0", "128.0", "10.1", "64.0", "5.1", "102.4", "8.1",
                                 "2.00x", "1.25x", "25 %"])
        # 32 * (1 + 80.5e-3) GB in a second.
        self.assertEqual(depth, ["decode, depth 64", "q4_k_m", "32.0", "34.6", "16.0", "17.3", "-", "-",
                                 "2.00x", "-", "86 %"])

    def test_plot_of_three(self):
        bars, _, texts = drawn(peers.plot, self.results(), NAMES)
        self.assertEqual([colour for colour, _ in bars],
                         COLOURS[:3] + COLOURS[:2] + COLOURS[:3])  # prompts, depths, batches
        heights = [height for _, height in bars]
        for bar, ratio in ((1, 2.0), (2, 1.5)):
            self.assertAlmostEqual(heights[0] / heights[bar], ratio, places=2)
        for words in ("512", "64", "16", "q4_k_m"):
            self.assertIn(words, texts)
        self.assertEqual(texts.count("q8_0"), 2)
        for name in NAMES:
            self.assertEqual(texts.count(name), 3)


class Options(Refusals):
    def check(self, **given):
        peers.check(argparse.Namespace(**{
            "llama_bench": [__file__], "llama_batched_bench": [], "llama_options": [], "name": [],
            "no_node": False, "modules": "folder", **given}))

    def test_accepts_two_peers(self):
        self.check()
        self.check(llama_bench=[__file__] * 2, llama_batched_bench=[__file__], name=["a", "b"])
        self.check(modules=None, name=["llama.cpp"])

    def test_refuses_two_engines_of_one_name(self):
        for given in ({"name": ["llama.cpp"]}, {"name": ["laconic"]},
                      {"llama_bench": [__file__] * 2, "name": ["a", "a"]}):
            with self.refused("two engines are called"):
                self.check(**given)

    def test_refuses_what_belongs_to_no_binary(self):
        for flag in ("llama_batched_bench", "llama_options", "name"):
            with self.refused("than --llama-bench"):
                self.check(**{flag: [__file__] * 2})

    def test_refuses_absent_binaries_and_peers(self):
        with self.refused("does not exist"):
            self.check(llama_bench=["/nowhere/llama-bench"])
        with self.refused("leaves no peer"):
            self.check(llama_bench=[], no_node=True, modules=None)

    def test_binaries_take_what_is_given_in_their_order(self):
        options = argparse.Namespace(llama_bench=["x", "y"], llama_batched_bench=["z"], name=["fork"],
                                     llama_options=["-rtr 1"])
        self.assertEqual(peers.binaries_of(options),
                         [("fork", "x", "z", ["-rtr", "1"]), ("llama-bench 2", "y", None, [])])


if __name__ == "__main__":
    unittest.main()
