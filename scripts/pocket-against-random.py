#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""pocket-against-random.py SAMPLES.jsonl: rpc minus random at equal settings, problem by problem.

Prints Markdown: percentage points for all problems with a paired bootstrap interval (10000 draws,
seeded), then per family, the passcode family split by where the code stands: stated in the question,
or worked out in the first lines of the answer."""
import json
import random
import re
import sys

STATED = r"The code of {} is \d"
ASKED = re.compile(r"code of (the [a-z]+ [a-z]+)")
KINDS = ["ledger", "passcode, stated", "passcode, worked out", "quantities"]


def kind(sample):
    if sample["family"] != "passcode":
        return sample["family"]
    asked = ASKED.findall(sample["question"])[-1]
    stated = re.search(STATED.format(asked), sample["question"])
    return "passcode, stated" if stated else "passcode, worked out"


def read(path):
    """{arm: {id: (kind, correct)}}"""
    arms = {}
    with open(path) as lines:
        for line in lines:
            sample = json.loads(line)
            arms.setdefault(sample["arm"], {})[sample["id"]] = (kind(sample), sample["correct"])
    return arms


def points(differences):
    return 100 * sum(differences) / len(differences) if differences else 0.0


def interval(differences, draws=10000):
    source = random.Random(1)
    means = sorted(points(source.choices(differences, k=len(differences))) for _ in range(draws))
    return means[int(0.025 * draws)], means[int(0.975 * draws) - 1]


def main():
    arms = read(sys.argv[1])
    print("| setting | all | " + " | ".join(KINDS) + " |")
    print("|---|---:|" + "---:|" * len(KINDS))
    for name in sorted(arm for arm in arms if arm.startswith("rpc:")):
        twin = "random:" + name.removeprefix("rpc:")
        if twin not in arms:
            continue
        ids = sorted(arms[name].keys() & arms[twin].keys())
        gains = [(arms[name][i][0], arms[name][i][1] - arms[twin][i][1]) for i in ids]
        everything = [gain for _, gain in gains]
        low, high = interval(everything)
        cells = [f"{points([g for k, g in gains if k == wanted]):+.1f}" for wanted in KINDS]
        setting = name.removeprefix("rpc:").replace(",", ", ")
        print(f"| {setting} | {points(everything):+.1f} ({low:+.1f} to {high:+.1f}) | "
              + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
