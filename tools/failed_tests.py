"""The tests that failed in a run of pytest: `python tools/failed_tests.py CACHE` prints their names, a line each.

CACHE is the run's cache folder (`-o cache_dir=CACHE`). Ends with status 1 when it names none, or more than a machine's bad
moment explains: then something is broken, and a second try would only hide how badly.
"""

# ruff: noqa: T201 - a program for continuous integration prints

from __future__ import annotations

import json
import sys
from pathlib import Path

MOST = 3


def main(cache: str) -> int:
    try:
        failed = sorted(json.loads((Path(cache) / "v" / "cache" / "lastfailed").read_text("utf-8")))
    except FileNotFoundError:
        failed = []
    print(*failed, sep="\n")
    return 0 if 0 < len(failed) <= MOST else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
