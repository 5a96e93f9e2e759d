#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""run.py: decode speed against the length of the answer, with and without compression.

For each shape, batch and cache policy: tokens/s from an answer's first token to its 1024th, 2048th
... and last. The model runs at --points places of the answer's real schedule; in between random rows
stand in for it, compressions happen and are timed, and the time of the other steps is read off the
measured ones (`laconic bench --generation --points`). --whole runs every step instead: hours, and
the check of the former. What does not fit into memory is printed as such.
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from bench_tools import (fail, find_laconic, json_of, machine_options, markdown, model_of,  # noqa: E402
                         model_options, numbers, output_options, outputs_of, paired_ratio, report_of, say,
                         system_of, write_json)
from svg_plot import HEIGHT, WIDTH, Axes, round_steps, style, write_page  # noqa: E402

SHAPES = "qwen3-0.6b,r1-distill-qwen-1.5b"
ARMS = ["full", "rpc:interval=1024,ratio=4", "rpc:interval=4096,ratio=4",
        "h2o:interval=1024,ratio=4,window=32", "full:heads=random:1,sparsity=0.5"]


def flags_of(arm):
    """'POLICY:NAME=VALUE,...' as flags of the tool."""
    policy, _, options = arm.partition(":")
    flags = ["--kv-policy", policy]
    for option in filter(None, options.split(",")):
        name, equals, value = option.partition("=")
        if not equals:
            fail(f"arm '{arm}': '{option}' is no NAME=VALUE")
        flags += [f"--kv-{name}", value]
    return flags


def name_of(arm):
    """The arm in the words of the papers."""
    policy, _, options = arm.partition(":")
    values = dict(option.split("=", 1) for option in options.split(",") if option)
    if "sparsity" in values:
        share = f"head-wise {values['sparsity']}"
        return share if policy == "full" else f"{policy} {share}"
    if {"interval", "ratio"} <= values.keys():
        return f"{policy} P={values['interval']} c={values['ratio']}"
    return arm


def measure(options, shape, model, batch, arm):
    command = [options.laconic, "bench", "-m", model, "--generation", str(options.generate), "-p",
               str(options.prompt), "-b", str(batch), "-t", str(options.threads), "-o", "json",
               *flags_of(arm)]
    if not options.whole:
        command += ["--points", str(options.points)]
    row = json_of(command)[0]
    say(f"{shape}, batch {batch}, {name_of(arm)}: " + ", ".join(
        f"{m['n_gen']}: {m['avg_ts']:.1f}" if m["fits"] else f"{m['n_gen']}: does not fit"
        for m in row["marks"]))
    return {"shape": shape, "arm": arm, "name": name_of(arm), **row}


def speed_of(row):
    """Of the longest answer that fits."""
    return max([(mark["n_gen"], mark["avg_ts"]) for mark in row["marks"] if mark["fits"]],
               default=(0, 0))[1]


def middle_of(turns, full):
    """Of an arm's turns the one of median speed, with each length's speed over the full cache's.

    Of an even number the lower of the two in the middle.
    """
    row = sorted(turns, key=speed_of)[(len(turns) - 1) // 2]
    marks = []
    for i, mark in enumerate(row["marks"]):
        pairs = [(turn["marks"][i], base["marks"][i]) for turn, base in zip(turns, full)]
        ratio = {}
        if pairs and all(ours["fits"] and base["fits"] for ours, base in pairs):
            ratio["over_full"] = paired_ratio([ours["avg_ts"] for ours, _ in pairs],
                                              [base["avg_ts"] for _, base in pairs])
        marks.append({**mark, **ratio})
    return {**row, "marks": marks}


def measure_in_turns(options, shape, model, batch):
    """One row per arm."""
    turns = {arm: [] for arm in options.arms}
    for _ in range(options.repetitions):
        for arm in options.arms:
            turns[arm].append(measure(options, shape, model, batch, arm))
    return [middle_of(rows, turns.get("full", []) if arm != "full" else [])
            for arm, rows in turns.items()]


def cell(mark):
    if not mark["fits"]:
        return "does not fit"
    ratio = f" ({mark['over_full']:.2f}x)" if "over_full" in mark else ""
    return f"{mark['avg_ts']:.1f}{ratio}"


def table(rows, shape, batch):
    chosen = [r for r in rows if r["shape"] == shape and r["batch"] == batch]
    lengths = [mark["n_gen"] for mark in chosen[0]["marks"]]
    body = []
    for row in chosen:
        last = [mark for mark in row["marks"] if mark["fits"]]
        body.append([row["name"], *(cell(mark) for mark in row["marks"]),
                     f"{last[-1]['kv_peak_bytes'] / 2**20:.0f}" if last else "-",
                     f"{last[-1]['compression_seconds'] / last[-1]['seconds'] * 100:.2f} %" if last else "-",
                     f"{last[-1]['bytes_per_second'] / row['read_bandwidth'] * 100:.0f} %" if last else "-"])
    head = ["cache", *(str(length) for length in lengths), "peak KV MiB", "in compressions", "% of read"]
    return markdown(head, body)


def plot(rows, path):
    """A frame for each shape and batch; a line ends where memory does."""
    keys = list(dict.fromkeys((r["shape"], r["batch"]) for r in rows))
    frames = []
    for i, (shape, batch) in enumerate(keys):
        chosen = [r for r in rows if (r["shape"], r["batch"]) == (shape, batch)]
        points = [[(m["n_gen"], m["avg_ts"]) for m in r["marks"] if m["fits"]] for r in chosen]
        speeds = [y for line in points for _, y in line]
        if not speeds:
            continue
        longest = chosen[0]["marks"][-1]["n_gen"]
        axes = Axes(f"{shape}, batch {batch}: tokens/s of the whole answer", "generated tokens",
                    longest, 0, max(speeds) * 1.1, top=len(frames) * HEIGHT)
        axes.ticks([m["n_gen"] for m in chosen[0]["marks"][-4:]], round_steps(max(speeds) * 1.1),
                   lambda v: f"{v:g}")
        for j, line in enumerate(points):
            if line:
                colour, dash = style(j)
                axes.line(line, colour, dash=dash)
                axes.dots(line, colour)
        axes.legend([r["name"] for r in chosen], top=True, width=150)
        frames.append(axes)
    write_page(path, frames, WIDTH, HEIGHT * max(1, len(frames)))


def parse():
    parser = model_options(__doc__, SHAPES, "shapes of random weights, with commas")
    parser.add_argument("--type", default="q8_0", help="of the weights")
    machine_options(parser)
    parser.add_argument("--prompt", type=int, default=128)
    parser.add_argument("--generate", type=int, default=32768)
    parser.add_argument("--batch", type=numbers, default="1,8,16")
    parser.add_argument("--repetitions", type=int, default=1,
                        help="turns of all arms; of each arm the run of median speed counts, and of its "
                             "ratios to the full cache in the same turn the median (1)")
    parser.add_argument("--points", type=int, default=12, help="places where the model runs")
    parser.add_argument("--whole", action="store_true", help="run every step")
    output_options(parser, "compression")
    parser.add_argument("arms", nargs="*", default=ARMS, metavar="POLICY:NAME=VALUE,...")
    options = parser.parse_args()
    for arm in options.arms:
        flags_of(arm)  # refuses what it cannot read before hours have passed
    options.laconic = find_laconic(options.laconic)
    return options


def main():
    options = parse()
    json_path, svg_path = outputs_of(options, "compression")
    system = system_of(options.laconic, options.threads)
    rows = []
    shapes = [pathlib.Path(options.model).stem] if options.model else options.like.split(",")
    for shape in shapes:
        model = options.model or model_of(options.laconic, shape, options.type, options.folder)
        for batch in options.batch:
            rows += measure_in_turns(options, shape, model, batch)
            # Written as it grows: a stopped run leaves what it has.
            points = 0 if options.whole else options.points
            write_json(json_path, report_of(system, options, points=points, results=rows))
            plot(rows, svg_path)
            print(f"**{shape}, batch {batch}**: tokens/s of all sequences, over full in brackets\n")
            print(table(rows, shape, batch) + "\n", flush=True)
    reads = [row["read_bandwidth"] / 1e9 for row in rows]
    how = "every step run" if options.whole else f"model run at {options.points} places of each answer"
    weights = "the file's" if options.model else options.type
    print(f"Prompt {options.prompt}, {weights} weights, {options.threads} threads on "
          f"{system['cpu']}, {system['simd']}; {how}; read bandwidth {min(reads):.1f} to "
          f"{max(reads):.1f} GB/s.")
    say(f"written: {json_path}")


if __name__ == "__main__":
    main()
