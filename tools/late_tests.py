"""Of a validation report, the tests that only missed bars of time: `python tools/late_tests.py REPORT` prints their numbers.

Such a bar may be missed while something else has the processors, and the test is then worth a second run; anything else that
was missed (a message lost, a test that broke off or was not run) is not. Ends with status 1 if there is any of that.
"""

# ruff: noqa: T201 - a program for continuous integration prints

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

TIMES = ("ms", "s")


def late(test: dict[str, Any]) -> bool:
    """Whether the test came to its end, and what it missed are times that were measured."""
    missed = [target for target in test["targets"] if not target["met"]]
    measured = all(target["unit"] in TIMES and target["measured"] is not None for target in missed)
    return bool(missed) and measured and test["reason"].startswith("missed: ")


def main(path: str) -> int:
    report = json.loads(Path(path).read_text("utf-8"))["report"]
    open_ = [test for test in report["tests"] if test["verdict"] != "passed"]
    for test in open_:
        if not late(test):
            print(f"test {test['number']}: {test['reason']}", file=sys.stderr)
    if not open_ or not all(map(late, open_)):
        return 1
    print(*(test["number"] for test in open_))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
