"""How soon a client that follows its inbox hears of mail: MCP notifications through the shim, in other processes."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import time
from contextlib import AsyncExitStack, suppress

from benchmarks.figures import Figure, milliseconds, p50, percentile
from benchmarks.idle import busy
from benchmarks.places import ROOT, Place, served
from benchmarks.wire import MAB, META

FOLLOWERS = 100
LOST_SECONDS = 60.0
"""What did not come by then counts as lost; a busy machine is slow, and loses nothing."""
IDLE_SECONDS = 12.0
"""Longer than the time after which every subscription looks by itself."""


def told(quick: bool) -> list[Figure]:
    """One follower with the SDK's client in each era; then a hundred bare ones, any of which may be written to."""
    count, many = (60, 20) if quick else (400, FOLLOWERS)
    facts: dict[str, float] = {}
    unheard = 0
    with served() as here:
        for era in ("legacy", "modern"):
            heard, sent = asyncio.run(_one(here, era, count))
            unheard += count - len(heard)
            facts |= {
                f"{era}_p50_ms": p50(heard) * 1e3,
                f"{era}_p99_ms": percentile(heard, 0.99) * 1e3,
                f"{era}_max_ms": max(heard) * 1e3,
                f"{era}_ratio": p50(heard) / p50(sent),
                f"{era}_lag_p50_ms": _lag(heard, sent, 0.5),
                f"{era}_lag_p99_ms": _lag(heard, sent, 0.99),
            }
    with served() as here:
        heard, sent, lost, more, cpu, idle = asyncio.run(_many(here, many, count))
    lost += unheard
    facts |= {
        "followers": many,
        "many_p50_ms": p50(heard) * 1e3,
        "many_p99_ms": percentile(heard, 0.99) * 1e3,
        "many_max_ms": max(heard) * 1e3,
        "many_ratio": p50(heard) / p50(sent),
        "many_lag_p50_ms": _lag(heard, sent, 0.5),
        "many_lag_p99_ms": _lag(heard, sent, 0.99),
        "send_p50_ms": p50(sent) * 1e3,
        "send_p99_ms": percentile(sent, 0.99) * 1e3,
        "idle_share": idle,
        "lost": lost,
        "told_twice": more,
        "hub_cpu_ms_a_message": cpu * 1e3 / count,
        "messages": count,
    }
    eras = "; ".join(
        f"{year}: {facts[f'{era}_ratio']:.1f} x, p50 {facts[f'{era}_p50_ms']:.2f} ms, p99 {facts[f'{era}_p99_ms']:.2f} ms"
        for era, year in (("legacy", 2025), ("modern", 2026))
    )
    measured = (
        f"in ratio to the send alone (p99 {facts['send_p99_ms']:.2f} ms), {eras}; {many} followers: "
        f"{facts['many_ratio']:.1f} x, p50 {milliseconds(p50(heard))}, p99 {milliseconds(percentile(heard, 0.99))}, "
        f"after the sender's own answer p50 {facts['many_lag_p50_ms']:.2f} ms, p99 {facts['many_lag_p99_ms']:.2f} ms; "
        f"{lost} lost, {more} twice, {facts['hub_cpu_ms_a_message']:.1f} ms of the hub's processor a message, "
        f"{idle:.2%} of a core while nothing moves"
    )
    slowest = max(facts["legacy_p99_ms"], facts["modern_p99_ms"], facts["many_p99_ms"])
    what = "send to the MCP notification at a subscribed client in another process, through `mab mcp`, both eras"
    bar = f"p99 under 50 ms, with {many} followers too; none lost, none twice"
    return [Figure("subscriptions", what, bar, measured, slowest < 50 and not lost and not more, facts)]


def _lag(heard: list[float], sent: list[float], share: float) -> float:
    """Milliseconds from the sender's own answer to the notification: what being told adds to a durable send."""
    return percentile([at - done for at, done in zip(heard, sent, strict=True)], share) * 1e3


async def _one(here: Place, era: str, count: int) -> tuple[list[float], list[float]]:
    """The SDK's own client at the other end."""
    async with here.client() as client:
        made = await client.call_tool("create_conversation", {"my_role": "backend", "partner_role": "frontend"})
        assert made.structured_content is not None
        invite = made.structured_content["sessions"][1]["invite"]
        follower = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "benchmarks.follower", era, invite, cwd=ROOT, env=here.env, stdout=subprocess.PIPE
        )
        assert follower.stdout is not None
        assert await follower.stdout.readline() == b"ready\n"
        heard, sent = [], []
        for number in range(count):
            await asyncio.sleep(0.02)
            start = time.monotonic()
            await client.call_tool("send_to_partner", {"message": f"number {number}"})
            done = time.monotonic() - start
            with suppress(TimeoutError):
                async with asyncio.timeout(LOST_SECONDS):
                    heard.append(float(await follower.stdout.readline()) - start)
                    sent.append(done)
        follower.kill()
        await follower.wait()
    return heard, sent


async def _many(here: Place, followers: int, count: int) -> tuple[list[float], list[float], int, int, float, float]:
    """A hundred shims, their clients all in this process: they only write and read JSON lines."""
    chance, heard, sent, lost = random.Random(1), [], [], 0
    told: asyncio.Queue[tuple[str, float]] = asyncio.Queue()
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(here.client())
        names = []
        for _ in range(followers):
            made = await client.call_tool("create_conversation", {"my_role": "backend", "partner_role": "frontend"})
            assert made.structured_content is not None
            names.append(made.structured_content["conversation_id"])
            await _follow(here, stack, made.structured_content, told)
        before, more = busy(here.hub), 0
        for number in range(count):
            await asyncio.sleep(0.03)
            name = chance.choice(names)
            start = time.monotonic()
            await client.call_tool("send_to_partner", {"message": f"number {number}", "conversation_id": name})
            done = time.monotonic() - start
            try:
                async with asyncio.timeout(LOST_SECONDS):
                    while (found := await told.get())[0] != f"mab://inbox/{name}/b":
                        more += 1
                heard.append(found[1] - start)
                sent.append(done)
            except TimeoutError:
                lost += 1
        cpu = busy(here.hub) - before
        await asyncio.sleep(0.5)
        before = busy(here.hub)
        await asyncio.sleep(IDLE_SECONDS)
        idle = (busy(here.hub) - before) / IDLE_SECONDS
    return heard, sent, lost, more + told.qsize(), cpu, idle


async def _follow(
    here: Place, stack: AsyncExitStack, made: dict[str, object], told: asyncio.Queue[tuple[str, float]]
) -> None:
    sessions = made["sessions"]
    assert isinstance(sessions, list)
    process = await asyncio.create_subprocess_exec(
        MAB, "mcp", env=here.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    stack.push_async_callback(_ended, process)
    assert process.stdin is not None
    assert process.stdout is not None
    uri = f"mab://inbox/{made['conversation_id']}/b"
    join = {"name": "join_conversation", "arguments": {"invite": sessions[1]["invite"]}}
    for number, (method, params) in enumerate(
        (("tools/call", join), ("subscriptions/listen", {"notifications": {"resourceSubscriptions": [uri]}}))
    ):
        line = {"jsonrpc": "2.0", "id": number, "method": method, "params": {**params, "_meta": META}}
        process.stdin.write(json.dumps(line).encode() + b"\n")
        # the answer to the one, the acknowledgement of the other
        async with asyncio.timeout(LOST_SECONDS):
            answer = json.loads(await process.stdout.readline())
        assert "error" not in answer, answer
    reading = asyncio.create_task(_read(process.stdout, told))
    stack.callback(reading.cancel)


async def _read(stream: asyncio.StreamReader, told: asyncio.Queue[tuple[str, float]]) -> None:
    while line := await stream.readline():
        at, message = time.monotonic(), json.loads(line)
        if message.get("method") == "notifications/resources/updated":
            told.put_nowait((message["params"]["uri"], at))


async def _ended(process: asyncio.subprocess.Process) -> None:
    process.kill()
    await process.wait()
