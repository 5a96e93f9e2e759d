#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""policy-table.py FOLDER PROBLEMS SET: what scripts/table-policies.sh measured, as Markdown.

FOLDER holds SET-PROBLEMS.json and, with the differences to random, SET-protected-PROBLEMS.json and
SET-open-PROBLEMS.json. One row per policy and treatment of the prompt. The sets kld, passcode and heads
have columns of their own.
"""
import json
import pathlib
import sys

FAMILIES = ("ledger", "passcode", "quantities")


def load(folder, name, problems):
    with open(pathlib.Path(folder) / f"{name}-{problems}.json", encoding="utf-8") as file:
        return json.load(file)


def percent(value):
    return f"{100 * value:.1f}"


def difference(arm):
    """'+2.4 (+0.6 to +4.2)', bold where the interval leaves 0 out."""
    if arm is None or arm.get("difference") is None:
        return ""
    low, high = arm["difference"]["interval"]
    text = f"{100 * arm['difference']['mean']:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"
    return f"**{text}**" if low > 0 or high < 0 else text


def label(arm):
    options = arm["options"]
    name = arm["policy"]
    if options.get("positions") == "cache":
        name += ", by cache index"
    if options.get("budget"):
        return name, f"budget {options['budget']}"
    return name, f"ratio {options['ratio']:g}" if "ratio" in options else ""


def prompt_of(arm):
    if arm["policy"] == "full":
        return ""
    return "protected" if arm["options"]["protect-prompt"] else "open"


def mean_after(arm, counts):
    """Mean divergence of the steps after so many compressions, '' where there are none."""
    chosen = [row for row in arm["by_compressions"] if row["compressions"] in counts]
    steps = sum(row["steps"] for row in chosen)
    if steps == 0:
        return ""
    return f"{sum(row['mean'] * row['steps'] for row in chosen) / steps:.3f}"


def print_divergence(document):
    after = {"after 1": range(1, 2), "2": range(2, 3), "3": range(3, 4), "4": range(4, 5),
             "5-8": range(5, 9), "9-16": range(9, 17)}
    columns = ["policy", "prompt", "by", "KL, nats", "95 %", "99th percentile", "largest",
               "same token %", *after]
    print_head(columns, 3)
    for arm in document["arms"]:
        policy, law = label(arm)
        low, high = arm["interval"]
        cells = [policy, prompt_of(arm), law, f"{arm['mean']:.3f}", f"{low:.3f} to {high:.3f}",
                 f"{arm['p99']:.2f}", f"{arm['maximum']:.1f}", percent(arm["agreement"]),
                 *(mean_after(arm, counts) for counts in after.values())]
        print("| " + " | ".join(cells) + " |")


def print_head(columns, words):
    print("| " + " | ".join(columns) + " |")
    print("|" + "---|" * words + "---:|" * (len(columns) - words))


def pooled(points, counts):
    """Accuracy over these numbers of compressions, '' where there is no problem."""
    chosen = [point for point in points if point["compressions"] in counts]
    problems = sum(point["problems"] for point in chosen)
    return percent(sum(point["correct"] for point in chosen) / problems) if problems else ""


def print_passcode(folder, problems):
    counts = {"1-5": range(1, 6), "6-10": range(6, 11), "11-20": range(11, 21)}
    origins = {"stated": "stated", "worked_out": "worked out"}
    print_head(["policy", "prompt", *(f"{word}, {count}" for word in origins.values()
                                      for count in counts)], 2)
    for prompt in ("protected", "open"):
        for arm in load(folder, f"passcode-{prompt}", problems)["arms"]:
            if arm["policy"] == "full" and prompt == "open":
                continue
            cells = [arm["policy"], prompt_of(arm),
                     *(pooled(arm[origin], counts[count]) for origin in origins for count in counts)]
            print("| " + " | ".join(cells) + " |")


def print_heads(document):
    print_head(["policy", "heads made constant", "draw", "solved %", "95 %", "to full", *FAMILIES,
                "cut off"], 3)
    for arm in document["arms"]:
        low, high = arm["wilson"]
        full = arm["name"] == "full"
        options = arm["options"]
        cells = [arm["policy"], str(options.get("sparsity", "none")),
                 str(options.get("heads", "")).removeprefix("random:"), percent(arm["accuracy"]),
                 f"{percent(low)} to {percent(high)}", "" if full else difference(arm),
                 *(percent(arm["families"][family]["accuracy"]) for family in FAMILIES),
                 str(arm["loops"] + arm["truncated"])]
        print("| " + " | ".join(cells) + " |")


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    folder, problems, name = sys.argv[1:]
    if name == "kld":
        print_divergence(load(folder, name, problems))
        return
    if name == "passcode":
        print_passcode(folder, problems)
        return
    if name == "heads":
        print_heads(load(folder, name, problems))
        return
    document = load(folder, name, problems)
    against = {}
    for prompt in ("protected", "open"):
        for arm in load(folder, f"{name}-{prompt}", problems)["arms"]:
            against[arm["name"]] = arm
    obtained = {arm["name"]: arm["peak"] for arm in document["match"]["arms"]}
    columns = ["policy", "prompt", "by", "solved %", "95 %", "to full", "to random", *FAMILIES,
               "rows at peak", "cut off"]
    print_head(columns, 3)
    for arm in document["arms"]:
        full = arm["policy"] == "full"
        policy, law = label(arm)
        low, high = arm["wilson"]
        cells = [policy, prompt_of(arm), law,
                 percent(arm["accuracy"]), f"{percent(low)} to {percent(high)}",
                 "" if full else difference(arm), difference(against.get(arm["name"])),
                 *(percent(arm["families"][family]["accuracy"]) for family in FAMILIES),
                 "" if full else f"{percent(obtained[arm['name']])} %",
                 str(arm["loops"] + arm["truncated"])]
        print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
