"""`python -m benchmarks [--quick] [--only NAME]`: every figure, as a table and as JSON in out/."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import httpx2
import playwright.sync_api as playwright

from benchmarks import (
    approvals,
    crash,
    credentials,
    dashboard,
    delivery,
    figures,
    history,
    hooks,
    https,
    idle,
    latency,
    load,
    losses,
    page,
    policy,
    postgres,
    processes,
    sandbox,
    snapshots,
    start,
    subscriptions,
    task_crashes,
    watchdog,
)

ROWS = {
    "send": latency.send,
    "throughput": load.throughput,
    "processes": processes.writers,
    "wake": latency.wake,
    "spawn": start.spawn,
    "memory": start.memory,
    "idle": idle.agents,
    "crash": crash.kills,
    "history": history.newest,
    "approvals": approvals.races,
    "snapshots": snapshots.taken,
    "sandbox": sandbox.start,
    "watchdog": watchdog.check,
    "push": watchdog.push,
    "delivery": delivery.delivery,
    "hooks": hooks.wake,
    "https": https.send,
    "postgres": postgres.rows,
    "subscriptions": subscriptions.told,
    "crashes": task_crashes.crashes,
    "credentials": credentials.distribution,
    "policy": policy.judging,
    "dashboard": dashboard.window,
    "losses": losses.losses,
}
LATE = (TimeoutError, subprocess.TimeoutExpired, httpx2.TimeoutException, playwright.TimeoutError)
OUT = Path(__file__).parent.parent / "out"
PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"


def measured(row: Callable[[bool], list[figures.Figure]], quick: bool) -> list[figures.Figure]:
    """What the row says. One that ran into a time-out is measured once more: a busy machine may be late. What a row counts as
    lost is no time-out, and final.
    """
    try:
        return row(quick)
    except LATE:
        traceback.print_exc()
        return row(quick)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    parser.add_argument("--only", choices=ROWS, action="append", help="one row (may be repeated)")
    parser.add_argument(
        "--write", action="store_true", help="renew what was measured in docs/benchmarks.md; never with --quick"
    )
    parser.add_argument("--strict", action="store_true", help="fail when a bar is missed, not only when mail is lost")
    chosen = parser.parse_args()
    facts = figures.machine()
    print(", ".join(f"{name} {value}" for name, value in facts.items()), file=sys.stderr)
    found: list[figures.Figure] = []
    for name, row in ROWS.items():
        if chosen.only and name not in chosen.only:
            continue
        began = time.monotonic()
        for figure in measured(row, chosen.quick):
            found.append(figure)
            verdict = "met" if figure.met else "MISSED"
            print(f"{name}: {figure.measured} [{figure.bar}] {verdict}", file=sys.stderr, flush=True)
        print(f"{name}: took {time.monotonic() - began:.0f} s", file=sys.stderr)
    print(figures.table(found))
    print(f"kept in {figures.keep(found, facts, chosen.quick, OUT)}", file=sys.stderr)
    if chosen.write and not chosen.quick:
        PAGE.write_text(page.renewed(PAGE.read_text("utf-8"), found, facts), encoding="utf-8")
    return 0 if all(figure.met if chosen.strict else figure.sound for figure in found) else 1


if __name__ == "__main__":
    sys.exit(main())
