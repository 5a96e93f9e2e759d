#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""policy-table.py FOLDER PROBLEMS SET: what scripts/table-policies.sh measured, as Markdown.

FOLDER holds SET-PROBLEMS.json and, with the differences to random, SET-protected-PROBLEMS.json and
SET-open-PROBLEMS.json. One row per policy and treatment of the prompt.
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


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    folder, problems, name = sys.argv[1:]
    document = load(folder, name, problems)
    against = {}
    for prompt in ("protected", "open"):
        for arm in load(folder, f"{name}-{prompt}", problems)["arms"]:
            against[arm["name"]] = arm
    obtained = {arm["name"]: arm["peak"] for arm in document["match"]["arms"]}
    columns = ["policy", "prompt", "by", "solved %", "95 %", "to full", "to random", *FAMILIES,
               "rows at peak", "cut off"]
    print("| " + " | ".join(columns) + " |")
    print("|---|---|---|" + "---:|" * (len(columns) - 3))
    for arm in document["arms"]:
        full = arm["policy"] == "full"
        policy, law = label(arm)
        low, high = arm["wilson"]
        protected = arm["options"].get("protect-prompt")
        cells = [policy, "" if full else "protected" if protected else "open", law,
                 percent(arm["accuracy"]), f"{percent(low)} to {percent(high)}",
                 "" if full else difference(arm), difference(against.get(arm["name"])),
                 *(percent(arm["families"][family]["accuracy"]) for family in FAMILIES),
                 "" if full else f"{percent(obtained[arm['name']])} %",
                 str(arm["loops"] + arm["truncated"])]
        print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
