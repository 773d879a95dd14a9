"""How long one call takes: a durable send, and the wake-up of a waiting reader in another process."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable

from benchmarks.figures import Figure, milliseconds, p50, percentile
from benchmarks.places import ROOT, Place, served

TEXT = "The build is green again; the flaky test was the clock. " * 8


async def _timed(call: Callable[[], Awaitable[object]]) -> float:
    start = time.perf_counter()
    await call()
    return time.perf_counter() - start


def send(quick: bool) -> list[Figure]:
    """`send_to_partner` against the no-op, both through the SDK's client and `mab mcp`, call by call in turn."""
    count = 100 if quick else 600
    with served() as here:
        noop, sent = asyncio.run(_sends(here, count))
        thin_noop, thin_sent = _thin_sends(here, count)
    ratio, thin = p50(sent) / p50(noop), p50(thin_sent) / p50(thin_noop)
    measured = f"{ratio:.2f} x ({milliseconds(p50(sent))} / {milliseconds(p50(noop))}); bare wire {thin:.2f} x"
    facts = {
        "ratio": ratio,
        "noop_p50_ms": p50(noop) * 1e3,
        "send_p50_ms": p50(sent) * 1e3,
        "send_p95_ms": percentile(sent, 0.95) * 1e3,
        "send_p99_ms": percentile(sent, 0.99) * 1e3,
        "wire_ratio": thin,
        "wire_noop_p50_ms": p50(thin_noop) * 1e3,
        "wire_send_p50_ms": p50(thin_sent) * 1e3,
        "calls": count,
    }
    what = "durable `send_to_partner` over stdio, p50, against a no-op tool on the same hub and path"
    return [Figure("send", what, "at most 2.0 x", measured, ratio <= 2.0, facts)]


async def _sends(here: Place, count: int) -> tuple[list[float], list[float]]:
    noop, sent = [], []
    async with here.client() as client:
        await client.call_tool("create_conversation", {"my_role": "backend", "partner_role": "frontend"})
        for n in range(count + 20):
            idle = await _timed(lambda: client.call_tool("noop", {}))
            real = await _timed(lambda: client.call_tool("send_to_partner", {"message": TEXT}))
            if n >= 20:
                noop.append(idle)
                sent.append(real)
    return noop, sent


def _thin_sends(here: Place, count: int) -> tuple[list[float], list[float]]:
    noop: list[float] = []
    sent: list[float] = []
    wire = here.wire()
    wire.call("create_conversation", my_role="backend", partner_role="frontend")
    for _ in range(count):
        start = time.perf_counter()
        wire.call("noop")
        between = time.perf_counter()
        wire.call("send_to_partner", message=TEXT)
        sent.append(time.perf_counter() - between)
        noop.append(between - start)
    wire.close()
    return noop, sent


def wake(quick: bool) -> list[Figure]:
    """From the sender's call to the return of `check_messages` in a client of another process."""
    count = 60 if quick else 400
    with served() as here:
        noop, woken = asyncio.run(_wakes(here, count))
    ratio, slowest = p50(woken) / p50(noop), percentile(woken, 0.99)
    facts = {
        "ratio": ratio,
        "noop_p50_ms": p50(noop) * 1e3,
        "wake_p50_ms": p50(woken) * 1e3,
        "wake_p99_ms": slowest * 1e3,
        "wake_max_ms": max(woken) * 1e3,
        "calls": count,
    }
    measured = f"{ratio:.2f} x ({milliseconds(p50(woken))} / {milliseconds(p50(noop))}); p99 {milliseconds(slowest)}"
    what = "send to the return of a waiting `check_messages` in another process"
    bar = "p50 at most 3 x a no-op call; p99 under 50 ms"
    return [Figure("wake", what, bar, measured, ratio <= 3 and slowest < 0.05, facts)]


async def _wakes(here: Place, count: int) -> tuple[list[float], list[float]]:
    noop, woken = [], []
    async with here.client() as client:
        made = await client.call_tool("create_conversation", {"my_role": "backend", "partner_role": "frontend"})
        assert made.structured_content is not None
        invite = made.structured_content["sessions"][1]["invite"]
        waiter = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "benchmarks.waiter", invite, str(count),
            cwd=ROOT, env=here.env, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert waiter.stdout is not None
        assert await waiter.stdout.readline() == b"ready\n"
        for n in range(count):
            # the reader is back in its wait before the next send
            await asyncio.sleep(0.02)
            noop.append(await _timed(lambda: client.call_tool("noop", {})))
            await asyncio.sleep(0.005)
            start = time.monotonic()
            await client.call_tool("send_to_partner", {"message": f"number {n}"})
            number, at = (await waiter.stdout.readline()).split()
            assert int(number) == n
            woken.append(float(at) - start)
        await waiter.wait()
    return noop, woken
