#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""run.py: laconic and llama.cpp on the same GGUF files, in turns, and their ratio.

Every test is measured by one engine after the other, several times over, so that what a shared
machine does to one it does to the other; medians are reported. llama.cpp is npm's node-llama-cpp
(scripts/install-llama-cpp.sh) in $LACONIC_NODE_MODULES or build/node_modules, or the llama-bench that
--llama-bench names, which may be a fork's. GB/s counts the bytes that one decode step must read, the
weights once and the f16 rows of each sequence, over the time it took: also for the others.
"""
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from bench_tools import (ROOT, fail, find_laconic, json_of, machine_options, markdown, median,  # noqa: E402
                         model_of, model_options, numbers, output_options, outputs_of, paired_ratio, report_of,
                         say, system_of, write_json)
from engines import Laconic, LlamaBench, NodeLlamaCpp  # noqa: E402
from svg_plot import BOTTOM, COLOURS, HEIGHT, TOP, WIDTH, Axes, round_steps, text, write_page  # noqa: E402


def plan(options):
    tests = [{"prompt": p} for p in options.prompt if p > 0]
    tests += [{"generate": options.generate, "depth": d, "batch": 1} for d in sorted(options.depth)]
    tests += [{"generate": options.generate, "depth": 0, "batch": b} for b in options.batch if b > 1]
    return tests


def label(test):
    if "prompt" in test:
        return f"prompt {test['prompt']}"
    if test["batch"] > 1:
        return f"decode, batch {test['batch']}"
    return f"decode, depth {test['depth']}"


def tokens_of(test):
    return test["prompt"] if "prompt" in test else test["generate"] * test["batch"]


def gigabytes(test, seconds, step_bytes, token_bytes):
    """GB/s of decoding, or nothing for prompts: their time is arithmetic's."""
    if "prompt" in test:
        return None
    rows = test["depth"] + (test["generate"] + 1) / 2
    return test["generate"] * (step_bytes + test["batch"] * rows * token_bytes) / seconds / 1e9


def modules_of(options):
    """Where node-llama-cpp is, or None."""
    modules = os.environ.get("LACONIC_NODE_MODULES", str(ROOT / "build" / "node_modules"))
    if options.no_node:
        return None
    if (pathlib.Path(modules) / "node-llama-cpp").exists():
        return modules
    if not options.llama_bench:
        fail(f"no node-llama-cpp in {modules}: scripts/install-llama-cpp.sh brings it, "
             "or --llama-bench names a binary")
    return None


def binaries_of(options):
    """(name, llama-bench, llama-batched-bench or None, more options) of each --llama-bench."""
    def given(values, i, otherwise):
        return values[i] if i < len(values) else otherwise
    return [(given(options.name, i, f"llama-bench {i + 1}"), single,
             given(options.llama_batched_bench, i, None), given(options.llama_options, i, "").split())
            for i, single in enumerate(options.llama_bench)]


def engines_for(options, model):
    engines = [Laconic(options.laconic, model, options.threads)]
    if options.modules:
        room = max([*options.prompt, *(d + options.generate + 8 for d in options.depth)])
        engines.append(NodeLlamaCpp(options.modules, model, options.threads, {"room": room}))
    for name, single, batched, more in binaries_of(options):
        engines.append(LlamaBench(name, single, batched, model, options.threads, more))
    return engines


def result_of(model, kind, test, seconds, sizes):
    """One test: of each engine that did it all turns and what their median gives."""
    engines = {}
    for name, took in seconds.items():
        if took:
            middle = median(took)
            engines[name] = {"seconds": took, "tokens_per_second": tokens_of(test) / middle,
                             "gigabytes_per_second": gigabytes(test, middle, *sizes)}
    return {"model": pathlib.Path(model).name, "type": kind, "test": test, "label": label(test),
            "weight_bytes_per_step": sizes[0], "row_bytes_per_token": sizes[1], "engines": engines}


def measure(options, kind, model, results):
    about = json_of([options.laconic, "inspect", model, "--json"])
    sizes = about["bytes_per_step"], about["kv_bytes_per_token"]["f16"]
    engines = engines_for(options, model)
    reads = []
    try:
        for test in plan(options):
            seconds = {engine.name: [] for engine in engines}
            for turn in range(options.repetitions):
                reads.append(system_of(options.laconic, options.threads)["read_bandwidth"])
                for engine in engines:
                    took = engine.measure(test)
                    if took is not None:
                        seconds[engine.name].append(took)
                say(f"{kind}, {label(test)}, turn {turn + 1} of {options.repetitions}: " + ", ".join(
                    f"{name} {tokens_of(test) / took[-1]:.1f}" for name, took in seconds.items() if took))
            results.append(result_of(model, kind, test, seconds, sizes))
    finally:
        for engine in engines:
            engine.close()
    return [engine.name for engine in engines], reads + engines[0].reads


def table(results, names, read):
    head = ["test", "weights"]
    for name in names:
        head += [f"{name} t/s", "GB/s"]
    head += [f"over {name}" for name in names[1:]] + ["% of read"]
    rows = []
    for result in results:
        row, ours = [result["label"], result["type"]], result["engines"]["laconic"]
        for name in names:
            one = result["engines"].get(name)
            rate = one and one["gigabytes_per_second"]
            row += [f"{one['tokens_per_second']:.1f}" if one else "-", f"{rate:.1f}" if rate else "-"]
        for name in names[1:]:
            one = result["engines"].get(name)
            row.append(f"{paired_ratio(one['seconds'], ours['seconds']):.2f}x" if one else "-")
        rate = ours["gigabytes_per_second"]
        row.append(f"{rate * 1e9 / read * 100:.0f} %" if rate else "-")
        rows.append(row)
    return markdown(head, rows)


def plot(results, names, path):
    """Bars of tokens/s, a frame for prompts, one for depths, one for batches."""
    groups = [("prompts by length", lambda t: "prompt" in t),
              ("decode at batch 1 by depth", lambda t: t.get("batch") == 1),
              ("decode at depth 0 by batch", lambda t: t.get("batch", 0) > 1)]
    frames, legend = [], (18 * len(names) + 16) / (HEIGHT - TOP - BOTTOM)
    for title, wanted in groups:
        chosen = [r for r in results if wanted(r["test"])]
        if not chosen:
            continue
        most = max(e["tokens_per_second"] for r in chosen for e in r["engines"].values())
        # The highest bar ends below the legend.
        axes = Axes(f"{title}: tokens/s", "", len(chosen), 0, most / (1 - legend),
                    top=len(frames) * HEIGHT)
        axes.ticks([], round_steps(most * 1.1), lambda v: f"{v:g}")
        width = 0.8 / len(names)
        for i, result in enumerate(chosen):
            for j, name in enumerate(names):
                if name in result["engines"]:
                    axes.bar(i + 0.1 + j * width, width * 0.94,
                             result["engines"][name]["tokens_per_second"], COLOURS[j])
            number = result["label"].split()[-1]
            axes.parts.append(text(axes.x(i + 0.5), axes.top + HEIGHT - 34, number, "middle", 10))
        for kind in dict.fromkeys(result["type"] for result in chosen):
            places = [i + 0.5 for i, result in enumerate(chosen) if result["type"] == kind]
            middle = axes.x(sum(places) / len(places))
            axes.parts.append(text(middle, axes.top + HEIGHT - 16, kind, "middle"))
        axes.legend(names, top=True)
        frames.append(axes)
    write_page(path, frames, WIDTH, HEIGHT * len(frames))


def parse():
    parser = model_options(__doc__, "qwen3-0.6b", "shape of random weights",
                           instead="--like and --types", model_words="a GGUF file")
    parser.add_argument("--types", default="q8_0,q4_0,bf16",
                        help="weight types, with commas: all that make-model knows")
    machine_options(parser)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--prompt", type=numbers, default="512")
    parser.add_argument("--depth", type=numbers, default="0,2048,8192,16384")
    parser.add_argument("--batch", type=numbers, default="4,16", help="1 is what --depth measures")
    parser.add_argument("--generate", type=int, default=32, help="decode steps of a test")
    parser.add_argument("--llama-bench", action="append", default=[], metavar="PATH",
                        help="llama-bench of llama.cpp or of a fork; may be repeated")
    parser.add_argument("--llama-batched-bench", action="append", default=[], metavar="PATH",
                        help="its sister for batches, in the same order")
    parser.add_argument("--llama-options", action="append", default=[], metavar="OPTIONS",
                        help="more options for both, as one word: --llama-options='-rtr 1'")
    parser.add_argument("--name", action="append", default=[], help="names for them, same order")
    parser.add_argument("--no-node", action="store_true", help="leave node-llama-cpp out")
    output_options(parser, "peers")
    options = parser.parse_args()
    options.modules = modules_of(options)
    check(options)
    options.laconic = find_laconic(options.laconic)
    return options


def check(options):
    """Refuses what would have no effect, or would end in the middle of a long run."""
    for path in [*options.llama_bench, *options.llama_batched_bench]:
        if not pathlib.Path(path).exists():
            fail(f"{path} does not exist")
    if options.no_node and not options.llama_bench:
        fail("--no-node leaves no peer; name one with --llama-bench")
    for flag in ("llama_batched_bench", "llama_options", "name"):
        if len(getattr(options, flag)) > len(options.llama_bench):
            fail(f"more --{flag.replace('_', '-')} than --llama-bench")
    names = [Laconic.name] + [NodeLlamaCpp.name] * bool(options.modules)
    for name, *_ in binaries_of(options):
        if name in names:
            fail(f"two engines are called {name}; --name tells them apart")
        names.append(name)


def drop_openmp_settings(environment):
    """Engines run as they ship: OMP_WAIT_POLICY=passive, set for something else, halves the speed at
    which llama.cpp's forks decode, and those that do not use OpenMP not at all."""
    for name in [n for n in environment if n.startswith(("OMP_", "GOMP_", "KMP_"))]:
        say(f"{name} is not passed on to the engines")
        del environment[name]


def main():
    options = parse()
    drop_openmp_settings(os.environ)
    json_path, svg_path = outputs_of(options, "peers")
    system = system_of(options.laconic, options.threads)
    results, reads, names = [], [], []
    if options.model:
        models = {pathlib.Path(options.model).stem: options.model}
    else:  # all of them first: a type that cannot be made is said before anything is measured
        models = {kind: model_of(options.laconic, options.like, kind, options.folder)
                  for kind in options.types.split(",")}
    for kind, model in models.items():
        names, more = measure(options, kind, model, results)
        reads += more
    read = median(reads)
    write_json(json_path, report_of(
        system, options, repetitions=options.repetitions, engines=names, read_bandwidth=read,
        read_bandwidth_range=[min(reads), max(reads)], results=results))
    plot(results, names, svg_path)
    print(table(results, names, read))
    print(f"\nMedians of {options.repetitions} turns, {options.threads} threads on {system['cpu']}, "
          f"{system['simd']}; read bandwidth {read / 1e9:.1f} GB/s in this run "
          f"({min(reads) / 1e9:.1f} to {max(reads) / 1e9:.1f}).")
    say(f"written: {json_path}")


if __name__ == "__main__":
    main()
