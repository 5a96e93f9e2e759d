# SPDX-License-Identifier: Apache-2.0
"""Renders templates with Python's jinja2, set up as transformers sets it up.

Usage: jinja_oracle.py CASES.json RESULTS.json
CASES is a list of {"template": text, "context": object}; RESULTS a list of {"text": text} or
{"error": message}, in the same order.
"""
import json
import sys

import jinja2
from jinja2.ext import Extension, loopcontrols
from jinja2.nodes import CallBlock
from jinja2.sandbox import ImmutableSandboxedEnvironment


class Generation(Extension):
    """{% generation %}: the body as it is; transformers only records where it stands."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return CallBlock(self.call_method("_text"), [], [], body).set_lineno(line)

    def _text(self, caller):
        return caller()


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators,
                      sort_keys=sort_keys)


def main():
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols])
    environment.filters["tojson"] = tojson
    environment.globals["raise_exception"] = raise_exception
    with open(sys.argv[1], encoding="utf-8") as file:
        cases = json.load(file)
    results = []
    compiled = {}  # many cases share a template
    for case in cases:
        try:
            source = case["template"]
            if source not in compiled:
                compiled[source] = environment.from_string(source)
            text = compiled[source].render(**case["context"])
            text.encode("utf-8")
            results.append({"text": text})
        except Exception as error:  # whatever Python has against it
            results.append({"error": f"{type(error).__name__}: {error}"})
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        json.dump(results, file, ensure_ascii=False)


main()
