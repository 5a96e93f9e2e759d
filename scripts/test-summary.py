#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test-summary.py RESULTS.xml ...: names what failed and what was skipped, then counts."""
import sys
import xml.etree.ElementTree as ElementTree


def main(paths):
    passed, failed, skipped = 0, [], []
    for path in paths:
        for case in ElementTree.parse(path).getroot().iter("testcase"):
            status, skip = case.get("status"), case.find("skipped")
            if status == "run":
                passed += 1
            elif status == "disabled" or (
                    skip is not None and skip.get("message", "").startswith("SKIP_")):
                skipped.append(case.get("name"))
            else:
                failed.append(case.get("name"))
    for name in skipped:
        print(f"skipped: {name}")
    for name in failed:
        print(f"failed:  {name}")
    print(f"{passed} passed, {len(failed)} failed, {len(skipped)} skipped")
    return 1 if failed or passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
