#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""plot-training.py LOG.jsonl LOSS.svg ACCURACY.svg: the curves of a run of laconic-train.

LOG.jsonl is the log that the run leaves in its folder: the loss curve is the mean of every stretch
of the run, the accuracy curve one point per held-out evaluation, per family and over all.
"""
import json
import math
import sys

from svg_plot import COLOURS, Axes, round_steps

STRETCHES = 240


def stretches(lines):
    """(million tokens, mean loss) of at most STRETCHES stretches of equal length."""
    size = lines[-1]["tokens"] / STRETCHES
    sums = {}
    for line in lines:
        place = min(int(line["tokens"] / size), STRETCHES - 1)
        total, count = sums.get(place, (0.0, 0))
        sums[place] = (total + line["loss"], count + 1)
    return [((place + 0.5) * size / 1e6, total / count) for place, (total, count) in sorted(sums.items())]


def plot_loss(lines, path):
    points = stretches(lines)
    least = 10 ** math.floor(math.log10(min(y for _, y in points)))
    most = 10 ** math.ceil(math.log10(max(y for _, y in points)))
    axes = Axes("Training loss, nats per token of the solution", "million tokens",
                lines[-1]["tokens"] / 1e6, least, most, True)
    decades = [10 ** e for e in range(round(math.log10(least)), round(math.log10(most)) + 1)]
    axes.ticks(round_steps(axes.x_most), decades, lambda v: f"{v:g}")
    axes.line(points, COLOURS[1])
    axes.write(path)


def plot_accuracy(lines, tokens, path):
    axes = Axes("Held-out problems solved while training, greedy, full cache", "million tokens",
                tokens / 1e6, 0, 100, False)
    axes.ticks(round_steps(axes.x_most), range(0, 101, 20), lambda v: f"{v} %")
    names = ["all", *lines[-1]["held_out"]["families"]]
    for i, name in enumerate(names):
        def share(line, name=name):
            held_out = line["held_out"]
            return (held_out if name == "all" else held_out["families"][name])["accuracy"]
        axes.line([(0, 0)] + [(l["tokens"] / 1e6, 100 * share(l)) for l in lines], COLOURS[i],
                  2.4 if name == "all" else 1.4)
    axes.legend(names)
    axes.write(path)


def main():
    if len(sys.argv) != 4:
        sys.exit("usage: plot-training.py LOG.jsonl LOSS.svg ACCURACY.svg")
    with open(sys.argv[1], encoding="utf-8") as log:
        lines = [json.loads(line) for line in log]
    losses = [line for line in lines if "loss" in line]
    if not losses:
        sys.exit(f"plot-training.py: {sys.argv[1]} has no line with a loss")
    plot_loss(losses, sys.argv[2])
    held_out = [line for line in lines if "held_out" in line]
    if held_out:
        plot_accuracy(held_out, losses[-1]["tokens"], sys.argv[3])


if __name__ == "__main__":
    main()
