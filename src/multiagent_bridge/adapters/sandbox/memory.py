"""How much memory a tree of programs holds: a look at /proc, for where no control group counts it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

_OWN = re.compile(rb"^Rss(?:Anon|Shmem):\s+(\d+) kB", re.MULTILINE)
_SHARE = re.compile(rb"^Pss(?:_Anon|_Shmem):\s+(\d+) kB", re.MULTILINE)
MOST = 4096
"""Programs of one tree that are looked at."""


def held(root: int, limit: int) -> int:
    """Bytes that the program `root` and all its descendants hold, without the files they have mapped.

    Pages that several share are counted once where that decides (the simple sum is above `limit`) and can be known.
    """
    members = tree(root)
    simple = sum(_kilobytes(_OWN, f"/proc/{pid}/status") for pid in members) << 10
    if simple <= limit:
        return simple
    return sum(_kilobytes(_SHARE, f"/proc/{pid}/smaps_rollup") for pid in members) << 10 or simple


def tree(root: int) -> list[int]:
    """The program and its descendants, as far as they can be seen."""
    found: list[int] = []
    waiting = [root]
    while waiting and len(found) < MOST:
        pid = waiting.pop()
        found.append(pid)
        try:
            for thread in os.listdir(f"/proc/{pid}/task"):
                waiting += map(int, _read(f"/proc/{pid}/task/{thread}/children").split())
        except OSError:
            # it has ended meanwhile
            continue
    return found


def stored(root: int, folders: Iterable[tuple[str, int]]) -> int:
    """Bytes in file systems in memory, as the program `root` sees them: at which places, and of which size each.

    While a sandbox is being made its first program still sees the machine's own file systems; they have other sizes.
    """
    size = 0
    for folder, most in folders:
        try:
            found = os.statvfs(f"/proc/{root}/root{folder}")
        except OSError:
            continue
        if found.f_blocks * found.f_frsize == most:
            size += (found.f_blocks - found.f_bfree) * found.f_frsize
    return size


def _kilobytes(wanted: re.Pattern[bytes], path: str) -> int:
    try:
        return sum(map(int, wanted.findall(_read(path))))
    except OSError:
        return 0


def _read(path: str) -> bytes:
    return Path(path).read_bytes()
