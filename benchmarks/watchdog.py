"""What a watchdog's check costs, and how soon a watcher hears of mail."""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path

from benchmarks.figures import Figure, milliseconds, p50, percentile
from benchmarks.places import Place, place
from benchmarks.wire import MAB
from multiagent_bridge import config, wiring
from multiagent_bridge.cli.owner import owner
from multiagent_bridge.model.callers import Credentials
from multiagent_bridge.model.limits import SECOND
from multiagent_bridge.ports import Tx
from multiagent_bridge.services.hub import Hub

SESSIONS = 1000
ROLES = ("orchestrator", "backend", "tests", ["docs"])
LOST_SECONDS = 60.0
"""What did not come by then counts as lost; a busy machine is slow, and loses nothing."""
OLD = 400 * SECOND
"""Silent, at the default threshold of 300 s."""


def check(quick: bool) -> list[Figure]:
    """One check over a thousand sessions in SQLite: when nobody is new among the silent, and when fifty with a task are."""
    with place() as here:
        calm, busy, found, beat = asyncio.run(_checks(here, 10 if quick else 40))
    slowest = percentile(calm, 0.95)
    facts = {
        "sessions": SESSIONS,
        "calm_p50_ms": p50(calm) * 1e3,
        "calm_p95_ms": slowest * 1e3,
        "busy_ms": busy * 1e3,
        "found": found,
        "write_p50_ms": p50(beat) * 1e3,
        "ratio": p50(calm) / p50(beat),
    }
    measured = (
        f"p50 {milliseconds(p50(calm))}, p95 {milliseconds(slowest)}, {p50(calm) / p50(beat):.1f} x one durable write; "
        f"{found} fallen silent with a task each, warned of and handed over: {milliseconds(busy)}"
    )
    what = f"one check of the watchdog over {SESSIONS:,} sessions: 700 there, 200 waiting, 50 silent, 50 never seen"
    met = slowest < 0.1 and busy < 1.0 and found == 50
    return [Figure("watchdog", what, "under 100 ms; reassignment under 1 s", measured, met, facts)]


async def _checks(here: Place, count: int) -> tuple[list[float], float, int, list[float]]:
    async with AsyncExitStack() as stack:
        hub = await wiring.open_hub(config.load(home=here.home), stack, "bench")
        me = owner()
        names = await _peopled(hub)
        await hub.watchdog.check(me)
        calm = [await _timed(lambda: hub.watchdog.check(me)) for _ in range(count)]
        beat = [await _timed(lambda: hub.status.heartbeat(me, Credentials(names[0], "b"))) for _ in range(count)]
        for name in names[100:150]:
            await hub.tasks.assign(me, Credentials(name, "a"), "a task", to="b")
        await _beaten(hub, [(name, "b") for name in names[100:150]], OLD)
        began = time.perf_counter()
        checked = await hub.watchdog.check(me)
        busy = time.perf_counter() - began
        given = sum(len(alert.moved) for alert in checked.alerts if alert.kind == "silent")
        return calm, busy, given, beat


async def _peopled(hub: Hub) -> list[str]:
    """250 conversations of four, 1,000 sessions in all, in every state that there is."""
    me, names = owner(), []
    for _ in range(SESSIONS // 4):
        names.append((await hub.conversations.create(me, ROLES[0], ROLES[1], [ROLES[2], "docs"])).conversation.id)
    seats = [(name, session) for name in names for session in "abcd"]
    waiting = [seat for seat in seats if seat[1] == "d"][:200]
    unseen = [seat for seat in seats if seat[1] == "d"][200:]
    silent = [seat for seat in seats if seat[1] == "c"][:50]
    there = [seat for seat in seats if seat not in {*waiting, *unseen, *silent}]
    await _beaten(hub, there, 0)
    await _beaten(hub, [*waiting, *silent], OLD)
    for name, session in waiting:
        await hub.status.update(me, Credentials(name, session), "waiting")
    return names


async def _beaten(hub: Hub, seats: list[tuple[str, str]], ago: int) -> None:
    now = time.time_ns() // 1000

    async def beaten(tx: Tx) -> None:
        for name, session in seats:
            await tx.sessions.heartbeat(name, session, now - ago)

    await hub.journal._store.write(beaten)


async def _timed(call: Callable[[], Awaitable[object]]) -> float:
    start = time.perf_counter()
    await call()
    return time.perf_counter() - start


def push(quick: bool) -> list[Figure]:
    """From the sender's call to the line of `mab watch` in another process, while a hundred of them watch."""
    watchers, count = (20, 60) if quick else (100, 400)
    with place() as here:
        pushed, sent, lost, cpu = asyncio.run(_pushes(here, watchers, count))
    slowest = percentile(pushed, 0.99)
    facts = {
        "watchers": watchers,
        "pushes": count,
        "push_p50_ms": p50(pushed) * 1e3,
        "push_p99_ms": slowest * 1e3,
        "push_max_ms": max(pushed) * 1e3,
        "send_p50_ms": p50(sent) * 1e3,
        "ratio": p50(pushed) / p50(sent),
        "lost": lost,
        "watchers_cpu_ms_a_push": cpu * 1e3 / count,
    }
    measured = (
        f"{p50(pushed) / p50(sent):.1f} x the send alone ({milliseconds(p50(pushed))} / {milliseconds(p50(sent))}); "
        f"p99 {milliseconds(slowest)}, slowest {milliseconds(max(pushed))}; {watchers} watchers, {lost} lost, "
        f"{cpu * 1e3 / count:.1f} ms of processor a push for all of them together"
    )
    what = "send to the line that `mab watch` prints in another process"
    bar = "p99 under 50 ms with 100 watchers, none lost"
    return [Figure("push", what, bar, measured, slowest < 0.05 and not lost, facts)]


async def _pushes(here: Place, watchers: int, count: int) -> tuple[list[float], list[float], int, float]:
    async with AsyncExitStack() as stack:
        hub = await wiring.open_hub(config.load(home=here.home), stack, "bench")
        me, chance = owner(), random.Random(1)
        names = [
            (await hub.conversations.create(me, "backend", "frontend")).conversation.id for _ in range(watchers)
        ]  # fmt: skip
        processes = []
        lines: asyncio.Queue[tuple[str, int, float]] = asyncio.Queue()
        for name in names:
            process = await asyncio.create_subprocess_exec(
                MAB, "watch", name, "--session", "b", "--json", env=here.env, stdout=subprocess.PIPE
            )
            stack.push_async_callback(_ended, process)
            processes.append(process.pid)
            assert process.stdout is not None
            reading = asyncio.create_task(_read(process.stdout, lines))
            stack.callback(reading.cancel)
            if len(names) > 10:
                # a start takes a second of a core: all at once would only take longer
                await _watching(hub, names.index(name) - 3)
        await _watching(hub, watchers)
        pushed, sent, lost, before = [], [], 0, _processor(processes)
        for number in range(count):
            name = chance.choice(names)
            start = time.monotonic()
            made = await hub.messages.send(me, Credentials(name, "a"), f"number {number}")
            sent.append(time.monotonic() - start)
            try:
                async with asyncio.timeout(LOST_SECONDS):
                    while True:
                        where, message, at = await lines.get()
                        if (where, message) == (name, made.message_id):
                            break
                pushed.append(at - start)
            except TimeoutError:
                lost += 1
            await asyncio.sleep(0.03)
        return pushed, sent, lost, _processor(processes) - before


async def _ended(process: asyncio.subprocess.Process) -> None:
    process.kill()
    await process.wait()


def _processor(processes: list[int]) -> float:
    """Seconds of processor that they have taken so far, where the system tells; else 0."""
    taken = 0
    for process in processes:
        with suppress(OSError):
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
            taken += int(fields[11]) + int(fields[12])
    return taken / os.sysconf("SC_CLK_TCK")


async def _watching(hub: Hub, count: int) -> None:
    """Until so many watches have begun."""
    async with asyncio.timeout(600):
        while True:
            entries = await hub.journal.entries(0, 100_000)
            if sum(entry.action == "journal.watch" for entry in entries) >= count:
                return
            await asyncio.sleep(0.05)


async def _read(stream: asyncio.StreamReader, lines: asyncio.Queue[tuple[str, int, float]]) -> None:
    while line := await stream.readline():
        at, event = time.monotonic(), json.loads(line)
        if event["event"] == "mail":
            lines.put_nowait((event["conversation_id"], event["message_id"], at))
