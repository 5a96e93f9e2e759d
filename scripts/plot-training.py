#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""plot-training.py LOG.jsonl LOSS.svg ACCURACY.svg: the curves of a run of laconic-train.

LOG.jsonl is the log that the run leaves in its folder: the loss curve is the mean of every stretch
of the run, the accuracy curve one point per held-out evaluation, per family and over all.
"""
import json
import math
import sys
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 720, 380
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 40, 48
STRETCHES = 240
COLOURS = ["#1b1b1b", "#0072b2", "#d55e00", "#009e73", "#cc79a7"]


class Axes:
    """A frame with ticks, and the lines that are drawn into it."""

    def __init__(self, title, x_label, x_most, y_least, y_most, log_scale):
        self.x_most, self.y_least, self.y_most = x_most, y_least, y_most
        self.log_scale = log_scale
        self.parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
            'font-family="sans-serif" font-size="12">',
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
            self.text(WIDTH / 2, 20, title, "middle", 14),
            self.text(WIDTH / 2, HEIGHT - 10, x_label, "middle"),
        ]

    @staticmethod
    def text(x, y, words, anchor, size=12, colour="#1b1b1b"):
        return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" '
                f'fill="{colour}">{escape(words)}</text>')

    def x(self, value):
        return LEFT + value / self.x_most * (WIDTH - LEFT - RIGHT)

    def y(self, value):
        if self.log_scale:
            low, high = math.log(self.y_least), math.log(self.y_most)
            share = (math.log(max(value, self.y_least)) - low) / (high - low)
        else:
            share = (value - self.y_least) / (self.y_most - self.y_least)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    def ticks(self, xs, ys, y_name):
        for value in ys:
            y = self.y(value)
            self.parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#dddddd"/>')
            self.parts.append(self.text(LEFT - 8, y + 4, y_name(value), "end"))
        for value in xs:
            x = self.x(value)
            self.parts.append(f'<path d="M{x:.1f} {HEIGHT - BOTTOM}v5" stroke="#1b1b1b"/>')
            self.parts.append(self.text(x, HEIGHT - BOTTOM + 19, f"{value:g}", "middle"))
        self.parts.append(
            f'<path d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - RIGHT}" fill="none" stroke="#1b1b1b"/>')

    def line(self, points, colour, width=1.6):
        path = "L".join(f"{self.x(x):.1f} {self.y(y):.1f}" for x, y in points)
        self.parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="{width}"/>')

    def legend(self, names):
        for i, name in enumerate(names):
            x, y = WIDTH - RIGHT - 130, HEIGHT - BOTTOM - 16 - 18 * (len(names) - 1 - i)
            self.parts.append(f'<path d="M{x} {y - 4}h22" stroke="{COLOURS[i]}" stroke-width="2.5"/>')
            self.parts.append(self.text(x + 28, y, name, "start"))

    def write(self, path):
        with open(path, "w", encoding="utf-8") as out:
            out.write("\n".join(self.parts + ["</svg>"]) + "\n")


def round_steps(most, about=6):
    step = 10 ** math.floor(math.log10(most / about))
    step *= next(f for f in (1, 2, 5, 10) if most / (step * f) <= about)
    return [i * step for i in range(int(most / step + 1e-9) + 1)]


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
