"""Fifty processes that each open the one SQLite file themselves, without a hub between them."""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import IO

from benchmarks.figures import Figure, milliseconds, p50, percentile
from benchmarks.places import Place, place
from multiagent_bridge import config, wiring
from multiagent_bridge.errors import BridgeError
from multiagent_bridge.model.callers import NO_CREDENTIALS, Caller

PROCESSES = 50
RATE = 4.0


def writers(quick: bool) -> list[Figure]:
    """Whole sends (authenticated, limited, encrypted, journalled, synced), at random moments averaging four a second each."""
    seconds = 6.0 if quick else 20.0
    with place() as here:
        os.environ.update(here.env)
        asyncio.run(_entries(here))
        children = [_child(here, number, seconds) for number in range(PROCESSES)]
        for child in children:
            # once all have opened the store, however long that takes here
            assert child.reports.readline() == "ready\n"
        began = f"{time.monotonic() + 0.5}\n"
        for child in children:
            child.orders.write(began)
            child.orders.close()
        reports = []
        for child in children:
            with child.reports:
                reports.append(json.load(child.reports))
            os.waitpid(child.process, 0)
        size = asyncio.run(_entries(here))
    times = [t for report in reports for t in report["times"]]
    errors = [e for report in reports for e in report["errors"]]
    ratio = percentile(times, 0.99) / p50(times)
    facts = {
        "ratio": ratio,
        "p50_ms": p50(times) * 1e3,
        "p99_ms": percentile(times, 0.99) * 1e3,
        "max_ms": max(times) * 1e3,
        "writes": len(times),
        "errors": len(errors),
        "first_error": errors[0] if errors else None,
        "journal_entries": size,
    }
    measured = (
        f"{len(times)} writes, {len(errors)} errors; p99 {ratio:.1f} x p50 "
        f"({milliseconds(percentile(times, 0.99))} / {milliseconds(p50(times))}), slowest {milliseconds(max(times))}"
    )
    what = f"{PROCESSES} processes that open one SQLite store directly, {RATE:.0f} writes a second each"
    bar = 'no "database is locked"; p99 at most 20 x p50'
    return [Figure("processes", what, bar, measured, ratio <= 20 and not errors, facts)]


@dataclass(frozen=True)
class Child:
    """A writer: it is told when all begin, and says when it is ready and how it went."""

    process: int
    orders: IO[str]
    reports: IO[str]


def _child(here: Place, number: int, seconds: float) -> Child:
    """Fork a writer; the store is opened in the child."""
    orders, orders_end = os.pipe()
    reports_end, reports = os.pipe()
    process = os.fork()
    if process:
        os.close(orders)
        os.close(reports)
        return Child(process, os.fdopen(orders_end, "w"), os.fdopen(reports_end))
    status = 1
    try:
        os.close(orders_end)
        os.close(reports_end)
        with os.fdopen(orders) as told, os.fdopen(reports, "w") as telling:
            json.dump(asyncio.run(_write(here, number, seconds, told, telling)), telling)
        status = 0
    finally:
        os._exit(status)


async def _write(here: Place, number: int, seconds: float, told: IO[str], telling: IO[str]) -> dict[str, list[object]]:
    times: list[object] = []
    errors: list[object] = []
    chance = random.Random(number)
    async with AsyncExitStack() as stack:
        hub = await wiring.open_hub(config.load(home=here.home), stack)
        me = Caller(f"key:{number}", f"writer {number}", "uid:0")
        await hub.conversations.create(me, "sender", "reader")
        print("ready", file=telling, flush=True)
        began = float(told.readline())
        await asyncio.sleep(max(0.0, began - time.monotonic()))
        while time.monotonic() < began + seconds:
            await asyncio.sleep(chance.expovariate(RATE))
            start = time.perf_counter()
            try:
                await hub.messages.send(me, NO_CREDENTIALS, "The build is green again; the flaky test was the clock.")
                times.append(time.perf_counter() - start)
            except BridgeError as error:
                errors.append(str(error))
    return {"times": times, "errors": errors}


async def _entries(here: Place) -> int:
    """How many entries the journal has; raises Tampered unless all of them verify."""
    async with AsyncExitStack() as stack:
        hub = await wiring.open_hub(config.load(home=here.home), stack)
        return (await hub.journal.verify()).size
