#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""plot-probe.py STUDY.json OUT.svg: the curves of `laconic eval --probe passcode --json STUDY.json`.

One panel for codes that the question states, one for codes that the answer works out: accuracy
against the number of compressions that problems were drawn for, one line per arm, with 95 %
intervals. At each number every arm has the same problems.
"""
import json
import sys

from svg_plot import stroke, style, text, write_parts

PANEL, HEIGHT = 460, 330
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 56, 44
LEGEND_LINE, LEGEND_WIDTH = 18, 300
ORIGINS = {"stated": "the question states the code", "worked_out": "the answer works the code out"}


class Panel:
    """One frame with ticks, and the lines that are drawn into it."""

    def __init__(self, number, title, least, most):
        self.left = number * PANEL + LEFT
        self.right = (number + 1) * PANEL - RIGHT
        self.least, self.most = least, most
        self.parts = [text((self.left + self.right) / 2, TOP - 12, title, "middle", 13),
                      text((self.left + self.right) / 2, HEIGHT - 8, "compressions", "middle")]
        for percent in range(0, 101, 20):
            y = self.y(percent / 100)
            self.parts.append(f'<path d="M{self.left} {y:.1f}H{self.right}" stroke="#dddddd"/>')
            self.parts.append(text(self.left - 8, y + 4, f"{percent} %", "end"))
        step = max(1, -(-(most - least) // 10))
        for value in range(least, most + 1, step):
            x = self.x(value)
            self.parts.append(f'<path d="M{x:.1f} {HEIGHT - BOTTOM}v5" stroke="#1b1b1b"/>')
            self.parts.append(text(x, HEIGHT - BOTTOM + 19, str(value), "middle"))
        self.parts.append(f'<path d="M{self.left} {TOP}V{HEIGHT - BOTTOM}H{self.right}" fill="none" '
                          'stroke="#1b1b1b"/>')

    def x(self, value):
        inset = 10
        span = max(1, self.most - self.least)
        return self.left + inset + (value - self.least) / span * (self.right - self.left - 2 * inset)

    def y(self, share):
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    def curve(self, i, arms, points):
        # Arms stand side by side, so that their intervals can be told apart.
        shift = (i - (arms - 1) / 2) * min(1.5, 12 / max(1, arms))
        places = [(self.x(p["compressions"]) + shift, p) for p in points]
        colour, dash = style(i)
        for x, point in places:
            low, high = point["wilson"]
            self.parts.append(f'<path d="M{x:.1f} {self.y(low):.1f}V{self.y(high):.1f}" '
                              f'stroke="{colour}" stroke-width="1" opacity="0.3"/>')
        line = "L".join(f"{x:.1f} {self.y(p['accuracy']):.1f}" for x, p in places)
        line_stroke = stroke(colour, 2.2 if i == 0 else 1.5, dash)
        self.parts.append(f'<path d="M{line}" fill="none" {line_stroke}/>')
        for x, point in places:
            self.parts.append(f'<circle cx="{x:.1f}" cy="{self.y(point["accuracy"]):.1f}" r="2.2" '
                              f'fill="{colour}"/>')


def legend(names, width):
    columns = max(1, width // LEGEND_WIDTH)
    parts = []
    for i, name in enumerate(names):
        x = LEFT + i % columns * LEGEND_WIDTH
        y = HEIGHT + LEGEND_LINE * (i // columns + 1)
        colour, dash = style(i)
        parts.append(f'<path d="M{x} {y - 4}h24" {stroke(colour, 2.5, dash)}/>')
        parts.append(text(x + 30, y, name, "start", 11))
    return parts, HEIGHT + LEGEND_LINE * (-(-len(names) // columns) + 1)


def points_of(arm, origin, most):
    return [point for point in arm[origin] if point["compressions"] <= most]


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: plot-probe.py STUDY.json OUT.svg")
    with open(sys.argv[1], encoding="utf-8") as file:
        study = json.load(file)
    if study.get("probe") != "passcode":
        sys.exit(f"plot-probe.py: {sys.argv[1]} is no study of laconic eval --probe passcode")
    arms, most = study["arms"], study["counts"]
    seen = [point["compressions"] for arm in arms for origin in ORIGINS
            for point in points_of(arm, origin, most)]
    if not seen:
        sys.exit(f"plot-probe.py: {sys.argv[1]} has no problem with at most {most} compressions")
    width = PANEL * len(ORIGINS)
    keys, height = legend([arm["name"] for arm in arms], width)
    title = ("Passcode problems solved, by compressions between code and question in the written "
             "solution")
    parts = [text(width / 2, 20, title, "middle", 14)]
    for number, (origin, words) in enumerate(ORIGINS.items()):
        panel = Panel(number, words, min(seen), max(seen))
        for i, arm in enumerate(arms):
            points = points_of(arm, origin, most)
            if points:
                panel.curve(i, len(arms), points)
        parts += panel.parts
    write_parts(sys.argv[2], parts + keys, width, height)


if __name__ == "__main__":
    main()
