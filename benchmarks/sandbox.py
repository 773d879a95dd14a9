"""What a sandbox adds to starting a program: the look at the workspace, bubblewrap, and the proof that all of it is dead."""

from __future__ import annotations

import asyncio
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.figures import Figure, milliseconds, p50, percentile
from multiagent_bridge.adapters.sandbox.bubblewrap import BubblewrapSandbox
from multiagent_bridge.model.commands import Step
from multiagent_bridge.model.sandboxes import Bounds, Confinement
from multiagent_bridge.model.workspaces import Workspace

BAR = 0.030
"""Seconds above a plain subprocess, in the median."""
NOBODY = 65534
FILES = 1000
"""In a git repository with one secret file and settings of two clients, as people have it."""


@contextmanager
def project(files: int) -> Iterator[tuple[Path, Workspace]]:
    """A state directory, and a workspace that who runs commands may write in."""
    with tempfile.TemporaryDirectory(prefix="mab-bench-") as made:
        base = Path(made)
        base.chmod(0o755)
        folder = base / "workspace"
        for number in range(files):
            place = folder / f"src/part{number // 50}"
            place.mkdir(parents=True, exist_ok=True)
            (place / f"file{number}.py").write_text("x = 1\n")
        (folder / ".vscode").mkdir(parents=True)
        (folder / ".mcp.json").write_text("{}")
        (folder / ".env").write_text("TOKEN=x\n")
        subprocess.run(["git", "init", "-q", str(folder)], check=True)
        if os.geteuid() == 0:
            for path in (folder, *folder.rglob("*")):
                os.chown(path, NOBODY, NOBODY)
        found = folder.stat()
        yield base / "state", Workspace(str(folder), found.st_dev, found.st_ino)


def plain() -> float:
    start = time.perf_counter()
    subprocess.run(["/usr/bin/true"], check=True, stdin=subprocess.DEVNULL, capture_output=True)
    return time.perf_counter() - start


async def confined(sandbox: BubblewrapSandbox, confinement: Confinement) -> float:
    start = time.perf_counter()
    programs = await sandbox.programs(confinement.workspace, ["true"])
    outcome = await sandbox.run([Step(("true",))], programs, confinement)
    took = time.perf_counter() - start
    assert outcome.exit_code == 0, outcome
    return took


async def _measured(count: int) -> tuple[list[float], list[float], list[float], float]:
    writing, reading, bare = [], [], []
    with project(FILES) as (state, workspace):
        sandbox = BubblewrapSandbox(state)
        start = time.perf_counter()
        await sandbox.profile()
        tested = time.perf_counter() - start
        for _ in range(count):
            bare.append(plain())
            writing.append(await confined(sandbox, Confinement(workspace, True, False, Bounds())))
            reading.append(await confined(sandbox, Confinement(workspace, False, False, Bounds())))
    return writing, reading, bare, tested


def start(quick: bool) -> list[Figure]:
    """`true` in a sandbox and as a plain subprocess, in turn."""
    count = 40 if quick else 200
    writing, reading, bare, tested = asyncio.run(_measured(count))
    over = p50(writing) - p50(bare)
    facts = {
        "over_ms": over * 1e3,
        "over_read_only_ms": (p50(reading) - p50(bare)) * 1e3,
        "plain_p50_ms": p50(bare) * 1e3,
        "sandbox_p50_ms": p50(writing) * 1e3,
        "sandbox_p99_ms": percentile(writing, 0.99) * 1e3,
        "self_test_ms": tested * 1e3,
        "runs": count,
    }
    measured = (
        f"{milliseconds(over)} ({milliseconds(p50(writing))} - {milliseconds(p50(bare))}); "
        f"read-only {milliseconds(p50(reading) - p50(bare))}; self-test {milliseconds(tested)} once a boot"
    )
    what = (
        f"`true` in a sandbox (git repository of {FILES:,} files, from the call to the outcome) over a plain subprocess"
    )
    return [Figure("sandbox", what, f"median under {BAR * 1000:.0f} ms", measured, over < BAR, facts)]
