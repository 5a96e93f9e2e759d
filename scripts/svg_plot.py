# SPDX-License-Identifier: Apache-2.0
"""A frame with ticks, lines and a legend, as SVG text: what the plots share."""
import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 720, 380
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 40, 48
COLOURS = ["#1b1b1b", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c564b",
           "#7f7f7f", "#6a3d9a"]
DASHES = ["", "5 3", "1.5 2.5"]


def style(i):
    """Colour and dashes of line i: colours first, then the same ones dashed."""
    return COLOURS[i % len(COLOURS)], DASHES[i // len(COLOURS) % len(DASHES)]


def stroke(colour, width, dash=""):
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return f'stroke="{colour}" stroke-width="{width}"{dashed}'


def text(x, y, words, anchor, size=12):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" '
            f'fill="#1b1b1b">{escape(words)}</text>')


def round_steps(most, about=6):
    """Ticks from 0 to `most` at a step of 1, 2 or 5 times a power of ten."""
    step = 10 ** math.floor(math.log10(most / about))
    step *= next(f for f in (1, 2, 5, 10) if most / (step * f) <= about)
    return [i * step for i in range(int(most / step + 1e-9) + 1)]


class Axes:
    """One frame. `left` and `top` place it on a page that holds several."""

    def __init__(self, title, x_label, x_most, y_least, y_most, log_scale=False, left=0, top=0):
        self.x_most, self.y_least, self.y_most = x_most, y_least, y_most
        self.log_scale = log_scale
        self.left, self.top = left, top
        self.parts = [text(left + WIDTH / 2, top + 20, title, "middle", 14),
                      text(left + WIDTH / 2, top + HEIGHT - 10, x_label, "middle")]

    def x(self, value):
        return self.left + LEFT + value / self.x_most * (WIDTH - LEFT - RIGHT)

    def y(self, value):
        if self.log_scale:
            low, high = math.log(self.y_least), math.log(self.y_most)
            share = (math.log(max(value, self.y_least)) - low) / (high - low)
        else:
            share = (value - self.y_least) / (self.y_most - self.y_least)
        return self.top + HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    def ticks(self, xs, ys, y_name, x_name=lambda v: f"{v:g}"):
        left, right = self.left + LEFT, self.left + WIDTH - RIGHT
        bottom = self.top + HEIGHT - BOTTOM
        for value in ys:
            y = self.y(value)
            self.parts.append(f'<path d="M{left} {y:.1f}H{right}" stroke="#dddddd"/>')
            self.parts.append(text(left - 8, y + 4, y_name(value), "end"))
        for value in xs:
            x = self.x(value)
            self.parts.append(f'<path d="M{x:.1f} {bottom}v5" stroke="#1b1b1b"/>')
            self.parts.append(text(x, bottom + 19, x_name(value), "middle"))
        self.parts.append(
            f'<path d="M{left} {self.top + TOP}V{bottom}H{right}" fill="none" stroke="#1b1b1b"/>')

    def line(self, points, colour, width=1.6, dash=""):
        path = "L".join(f"{self.x(x):.1f} {self.y(y):.1f}" for x, y in points)
        self.parts.append(f'<path d="M{path}" fill="none" {stroke(colour, width, dash)}/>')

    def dots(self, points, colour):
        for x, y in points:
            self.parts.append(f'<circle cx="{self.x(x):.1f}" cy="{self.y(y):.1f}" r="3" '
                              f'fill="{colour}"/>')

    def bar(self, x, width, value, colour):
        """A bar from the frame's floor; `x` and `width` in the frame's units."""
        left, right, y = self.x(x), self.x(x + width), self.y(value)
        self.parts.append(f'<rect x="{left:.1f}" y="{y:.1f}" width="{right - left:.1f}" '
                          f'height="{self.y(self.y_least) - y:.1f}" fill="{colour}"/>')

    def legend(self, names, top=False, width=130):
        """Names in the order of style(), in the frame's lower or upper right corner."""
        x = self.left + WIDTH - RIGHT - width
        for i, name in enumerate(names):
            y = self.top + (TOP + 16 + 18 * i if top else
                            HEIGHT - BOTTOM - 16 - 18 * (len(names) - 1 - i))
            colour, dash = style(i)
            self.parts.append(f'<path d="M{x} {y - 4}h22" {stroke(colour, 2.5, dash)}/>')
            self.parts.append(text(x + 28, y, name, "start"))

    def write(self, path):
        write_page(path, [self], WIDTH, HEIGHT)


def write_page(path, frames, width, height):
    write_parts(path, [part for frame in frames for part in frame.parts], width, height)


def write_parts(path, parts, width, height):
    head = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            'font-family="sans-serif" font-size="12">',
            f'<rect width="{width}" height="{height}" fill="#ffffff"/>']
    with open(path, "w", encoding="utf-8") as out:
        out.write("\n".join([*head, *parts, "</svg>"]) + "\n")
