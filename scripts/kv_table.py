#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kv_table.py: one model, one prompt, several cache policies, one table.

Every arm is a run of `laconic run --json` with the same random prompt and end tokens ignored, so
all of them decode the same number of tokens. Every policy keeps the newest 32 rows, rpc's default,
so that at equal interval and ratio all hold equally many. GB/s is what decoding had to read (the
weights once per token, and the rows held, on average over the answer) over the time it took.
"""
import argparse
import json
import os
import subprocess
import sys

MIB = 1 << 20


def parse_arm(text):
    """'full' or 'POLICY:INTERVAL:RATIO' -> (label, flags)."""
    parts = text.split(":")
    if parts == ["full"]:
        return "full", ["--kv-policy", "full"]
    if len(parts) == 3 and all(parts):
        return (f"{parts[0]} P={parts[1]} c={parts[2]}",
                ["--kv-policy", parts[0], "--kv-interval", parts[1], "--kv-ratio", parts[2],
                 "--kv-window", "32"])
    raise argparse.ArgumentTypeError(f"'{text}' is neither full nor POLICY:INTERVAL:RATIO")


def run_json(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
    if done.returncode != 0:
        sys.exit(f"kv_table.py: exit {done.returncode} from: {' '.join(command)}")
    return json.loads(done.stdout)


def bytes_per_step(options):
    """Weights that one decode step reads: all, but of an embedding beside its head only a row."""
    model = run_json([options.laconic, "inspect", options.model, "--tensors", "--json"])
    embedding = sum(tensor["bytes"] for tensor in model["tensors"]
                    if "embed_tokens" in tensor["name"])
    return model["weight_bytes"] - (0 if model["tied_head"] else embedding)


def measure(options, label, flags, weight_bytes):
    # Ids that every vocabulary has; a random model does not care which.
    prompt = ",".join(str(i * 37 % 200 + 1) for i in range(options.prompt))
    result = run_json([options.laconic, "run", "-m", options.model, "--ids", prompt,
                       "-n", str(options.tokens), "--temp", "0", "--ignore-eos", "--json",
                       "-t", str(options.threads), "--kv-type", options.kv_type, *flags])
    kv, timings = result["kv"], result["timings"]
    per_second = timings["predicted_per_second"]
    return {"arm": label, "tokens": len(result["ids"]), "speed": per_second,
            "gbs": (weight_bytes + kv["mean_bytes"]) * per_second / 1e9,
            "peak": kv["peak_bytes"] / MIB, "mean": kv["mean_bytes"] / MIB,
            "rows": kv["peak_rows"], "compressions": kv["compressions"]}


def show(rows, markdown):
    head = ["cache", "tokens/s", "over full", "GB/s", "peak KV MiB", "mean KV MiB", "peak rows",
            "compressions"]
    base = next((r["speed"] for r in rows if r["arm"] == "full"), None)
    body = [[r["arm"], f"{r['speed']:.1f}", f"{r['speed'] / base:.2f}x" if base else "-",
             f"{r['gbs']:.1f}", f"{r['peak']:.0f}", f"{r['mean']:.0f}", str(r["rows"]),
             str(r["compressions"])] for r in rows]
    if markdown:
        print("| " + " | ".join(head) + " |")
        print("|---|" + "---:|" * (len(head) - 1))
        for line in body:
            print("| " + " | ".join(line) + " |")
        return
    widths = [max(len(line[i]) for line in [head, *body]) for i in range(len(head))]
    for line in [head, *body]:
        print("  ".join([line[0].ljust(widths[0])] +
                        [cell.rjust(width) for cell, width in zip(line[1:], widths[1:])]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--laconic", required=True, help="the binary")
    parser.add_argument("--model", required=True, help="a GGUF file or a directory")
    parser.add_argument("--prompt", type=int, default=128, help="prompt tokens")
    parser.add_argument("--tokens", type=int, default=8192, help="generated tokens")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--kv-type", default="f16")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("arms", nargs="+", type=parse_arm, metavar="full|POLICY:INTERVAL:RATIO")
    options = parser.parse_args()

    weight_bytes = bytes_per_step(options)
    rows = []
    for label, flags in options.arms:
        print(f"{label}: {options.tokens} tokens ...", file=sys.stderr, flush=True)
        rows.append(measure(options, label, flags, weight_bytes))
        print(f"{label}: {rows[-1]['speed']:.1f} tokens/s, peak {rows[-1]['peak']:.0f} MiB of rows",
              file=sys.stderr, flush=True)
    show(rows, options.markdown)


if __name__ == "__main__":
    main()
