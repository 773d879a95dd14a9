"""Snapshots of a workspace of ten thousand files: the first, one of a workspace in which nothing changed, and the way back."""

from __future__ import annotations

import asyncio
import random
import resource
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from benchmarks.figures import Figure, p50
from multiagent_bridge.adapters.snapshots.snapshots import ShadowSnapshots
from multiagent_bridge.adapters.system import RandomIds, SystemClock
from multiagent_bridge.adapters.workspaces import FolderWorkspaces
from multiagent_bridge.model.workspaces import Workspace

FILES = 10_000
FIRST, UNCHANGED = 5.0, 0.3
"""Seconds: the bars."""
WORDS = ("def", "return", "import", "from", "class", "self", "value", "result", "for", "while", "None", "True")

T = TypeVar("T")


def taken(quick: bool) -> list[Figure]:
    """Beside them what copying the same files takes, in the same run."""
    base = Path(tempfile.mkdtemp(prefix="mab-bench-"))
    try:
        size = _filled(base / "shop")
        return asyncio.run(_measured(base, size, 5 if quick else 20))
    finally:
        shutil.rmtree(base)


async def _measured(base: Path, size: int, times: int) -> list[Figure]:
    (base / "state").mkdir(mode=0o700)
    workspaces = FolderWorkspaces(base / "state")
    snapshots = ShadowSnapshots(base / "state", SystemClock(), RandomIds("bench"))
    shop = await workspaces.identify(str(base / "shop"))
    copied = _copied(base)
    began = _worked()
    first, made = await _timed(lambda: snapshots.take(shop, "first"))
    first_worked, began = _worked() - began, _worked()
    unchanged = [(await _timed(lambda: snapshots.take(shop, "again")))[0] for _ in range(times)]
    unchanged_worked = (_worked() - began) / times
    one = [await _one_file(snapshots, shop, number) for number in range(times)]
    surveyed = [(await _timed(lambda: workspaces.survey(shop)))[0] for _ in range(times)]
    shutil.rmtree(base / "shop" / "part1")
    back, _ = await _timed(lambda: snapshots.restore(made.id))
    left = len(await snapshots.difference(made.id))
    facts = {
        "files": made.files,
        "bytes": size,
        "first_s": first,
        "first_processor_s": first_worked,
        "unchanged_processor_s": unchanged_worked,
        "unchanged_s": p50(unchanged),
        "slowest_unchanged_s": max(unchanged),
        "one_new_file_s": p50(one),
        "restore_s": back,
        "survey_s": p50(surveyed),
        "copy_s": copied,
        "errors": left,
    }
    what = f"snapshot of {made.files:,} files, {size / 1e6:.0f} MB"
    return [
        Figure(
            "snapshots",
            f"{what}: the first",
            f"under {FIRST:.0f} s",
            f"{first:.2f} s ({first_worked:.2f} s of processor), {first / copied:.1f} x copying them",
            first < FIRST and not left,
            facts,
        ),
        Figure(
            "snapshots",
            f"{what}: nothing changed since the last",
            f"under {UNCHANGED} s",
            f"{p50(unchanged):.3f} s ({unchanged_worked:.3f} s of processor), {p50(unchanged) / copied:.2f} x copying them; "
            f"one new file {p50(one):.3f} s",
            p50(unchanged) < UNCHANGED,
            facts,
        ),
    ]


async def _one_file(snapshots: ShadowSnapshots, shop: Workspace, number: int) -> float:
    Path(shop.path, f"new{number}.py").write_text("new")
    return (await _timed(lambda: snapshots.take(shop, "one more")))[0]


async def _timed(act: Callable[[], Awaitable[T]]) -> tuple[float, T]:
    start = time.perf_counter()
    result = await act()
    return time.perf_counter() - start, result


def _worked() -> float:
    """Seconds that a processor has worked for this process and the ended ones that it started."""
    used = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def _copied(base: Path) -> float:
    start = time.perf_counter()
    shutil.copytree(base / "shop", base / "copy")
    took = time.perf_counter() - start
    shutil.rmtree(base / "copy")
    return took


def _filled(shop: Path) -> int:
    """Files of the sizes that sources have, the same in every run. Returns their bytes."""
    chance = random.Random(7)
    size = 0
    for number in range(FILES):
        path = shop / f"part{number % 20}" / f"package{number % 37}" / f"module{number}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [" ".join(chance.choices(WORDS, k=8)) for _ in range(int(chance.paretovariate(1.2) * 20) % 2000)]
        size += path.write_text("\n".join(lines))
    (shop / ".gitignore").write_text("build/\n*.log\n__pycache__/\n")
    return size
