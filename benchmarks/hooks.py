"""How soon an idle agent is woken: from the sender's call to the end of the waker that its client waits for."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from pathlib import Path

from benchmarks.figures import Figure, milliseconds, p50, percentile
from benchmarks.places import Place, served
from benchmarks.wire import MAB
from multiagent_bridge import config, wiring
from multiagent_bridge.model.callers import NO_CREDENTIALS, Caller

NAME = "idle"
WOKEN = 2
SECONDS = 120.0
"""Longest wait for anything that must come, on a machine that others keep busy."""
BARE = "import socket, sys; s = socket.socket(fileno=0); s.recv(1); sys.stderr.write('x'); sys.exit(2)"
"""What ends as soon as it is told to: a process's own end is part of every wake-up."""


def wake(quick: bool) -> list[Figure]:
    """A send over bare wire, and the exit of `mab hook wake` beside an agent that waits for nothing."""
    count = 20 if quick else 80
    with served() as here:
        woken, sent, bare, missed = _wakes(here, count)
    slowest, least = percentile(woken, 0.95), p50(sent) + p50(bare)
    facts = {
        "woken_p50_ms": p50(woken) * 1e3,
        "woken_p95_ms": slowest * 1e3,
        "woken_max_ms": max(woken) * 1e3,
        "send_p50_ms": p50(sent) * 1e3,
        "bare_exit_p50_ms": p50(bare) * 1e3,
        "ratio": p50(woken) / least,
        "wakes": count,
        "lost": missed,
    }
    measured = (
        f"p50 {milliseconds(p50(woken))}, p95 {milliseconds(slowest)}; {p50(woken) / least:.1f} x the send alone and the exit "
        f"of a bare interpreter ({milliseconds(p50(sent))} + {milliseconds(p50(bare))}); {missed} of {count} not woken"
    )
    what = "send to the exit of the waker that wakes an idle client"
    return [Figure("hooks", what, "p50 under 50 ms, none missed", measured, p50(woken) < 0.05 and not missed, facts)]


def _wakes(here: Place, count: int) -> tuple[list[float], list[float], list[float], int]:
    woken: list[float] = []
    sent: list[float] = []
    bare: list[float] = []
    missed = 0
    sender = here.wire()
    made = sender.call("create_conversation", my_role="planner", partner_role="builder")
    asyncio.run(_joined(here, made["sessions"][1]["invite"]))
    for number in range(count + 2):
        _typed(here)
        with _waiting(here) as waker:
            start = time.monotonic()
            sender.call("send_to_partner", message=f"number {number}")
            answered = time.monotonic()
            status = 0
            with suppress(subprocess.TimeoutExpired):
                status = waker.wait(SECONDS)
            ended = time.monotonic()
        if number < 2:
            continue
        sent.append(answered - start)
        woken.append(ended - start)
        missed += status != WOKEN
        bare.append(_bare())
    sender.close()
    return woken, sent, bare, missed


def _typed(here: Place) -> None:
    """A person's prompt: a row of wake-ups begins anew."""
    prompt = [MAB, "hook", "prompt", "--as", NAME]
    subprocess.run(prompt, env=here.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)


async def _joined(here: Place, invite: str) -> None:
    """The agent of that name joins, as its own connection would make it."""
    async with AsyncExitStack() as stack:
        hub = await wiring.open_hub(config.load(home=here.home), stack)
        user = os.geteuid()
        me = Caller(f"key:{NAME}", NAME, f"uid:{user}", alias=f"as:{user}:{NAME}")
        await hub.conversations.join(me, NO_CREDENTIALS, invite)


@contextmanager
def _waiting(here: Place) -> Iterator[subprocess.Popen[bytes]]:
    """A waker that has asked the hub and sleeps until it answers."""
    waker = subprocess.Popen(
        [MAB, "hook", "wake", "--as", NAME], env=here.env, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        until = time.monotonic() + SECONDS
        while not _asleep(waker.pid):
            assert time.monotonic() < until, "the waker never came to rest"
            time.sleep(0.05)
        yield waker
    finally:
        waker.kill()
        waker.wait(SECONDS)
        assert waker.stderr is not None
        waker.stderr.close()


def _asleep(process: int) -> bool:
    """Whether it holds a connection and has used no processor time for a while."""
    before, links = _used(process), []
    time.sleep(0.3)
    for link in Path(f"/proc/{process}/fd").iterdir():
        # a file that it has just read is closed meanwhile
        with suppress(FileNotFoundError):
            links.append(os.readlink(link))
    return _used(process) == before and any(link.startswith("socket:") for link in links)


def _used(process: int) -> list[str]:
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13]


def _bare() -> float:
    """From a byte to the exit of an interpreter that waited for it."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        process = subprocess.Popen([sys.executable, "-c", BARE], stdin=theirs.fileno(), stderr=subprocess.DEVNULL)
        until = time.monotonic() + SECONDS
        while not _asleep(process.pid):
            assert time.monotonic() < until, "the interpreter never came to rest"
        start = time.monotonic()
        ours.send(b"x")
        process.wait(SECONDS)
        return time.monotonic() - start
