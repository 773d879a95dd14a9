"""Ten clients that send as fast as they can, and the proof that nothing of it was lost or doubled."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections import Counter
from contextlib import AsyncExitStack

from benchmarks.figures import Figure
from benchmarks.idle import busy
from benchmarks.places import ROOT, Place, served
from multiagent_bridge import config, wiring
from multiagent_bridge.model.callers import Caller

CLIENTS = 10


def throughput(quick: bool) -> list[Figure]:
    """Sends a second of ten clients, each a process over its own `mab mcp`, against no-op calls a second before and after."""
    seconds = 4.0 if quick else 10.0
    with served() as here:
        before = _round(here, "noop", seconds / 2)
        idle = busy(here.hub)
        sent = _round(here, "send_to_partner", seconds)
        spent = busy(here.hub) - idle
        after = _round(here, "noop", seconds / 2)
        stored = asyncio.run(texts(here))
    noop_rate = (before.calls + after.calls) / (before.seconds + after.seconds)
    send_rate = sent.calls / sent.seconds
    acknowledged = Counter(sent.texts)
    lost = sum(1 for text in acknowledged if stored[text] == 0)
    doubled = sum(1 for count in stored.values() if count > 1)
    ratio = send_rate / noop_rate
    errors = before.errors + sent.errors + after.errors
    facts = {
        "ratio": ratio,
        "sends_per_second": send_rate,
        "noops_per_second": noop_rate,
        "hub_cpu_ms_a_send": spent * 1e3 / max(sent.calls, 1),
        "sent": sent.calls,
        "stored": sum(stored.values()),
        "lost": lost,
        "doubled": doubled,
        "errors": len(errors),
        "first_error": errors[0] if errors else None,
    }
    measured = (
        f"{ratio:.2f} x ({send_rate:.0f} / {noop_rate:.0f} a second); "
        f"{sent.calls} sent, {len(errors)} errors, {lost} lost, {doubled} doubled"
    )
    what = f"{CLIENTS} clients sending for {seconds:.0f} s, throughput against the same no-op"
    met = ratio >= 0.5 and not lost and not doubled and not errors
    return [Figure("throughput", what, "at least 0.5 x, no error, none lost or doubled", measured, met, facts)]


class Round:
    """What the ten clients of one round report."""

    def __init__(self, reports: list[dict[str, object]], seconds: float) -> None:
        self.texts = [str(text) for report in reports for text in report["texts"]]  # type: ignore[attr-defined]
        self.calls = sum(int(str(report["calls"])) for report in reports)
        self.errors = [str(report["error"]) for report in reports if report["error"]]
        self.seconds = seconds


def _round(here: Place, tool: str, seconds: float) -> Round:
    clients = [
        subprocess.Popen(
            [sys.executable, "-m", "benchmarks.sender", tool, str(number), str(seconds)],
            cwd=ROOT,
            env=here.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(CLIENTS)
    ]
    for client in clients:
        assert client.stdout is not None
        # once all have started, however long that takes here
        assert client.stdout.readline() == "ready\n"
    began = f"{time.monotonic() + 0.5}\n"
    for client in clients:
        assert client.stdin is not None
        client.stdin.write(began)
        client.stdin.flush()
    reports = [json.loads(client.communicate()[0]) for client in clients]
    return Round(reports, seconds)


async def texts(here: Place) -> Counter[str]:
    """Every text of every conversation in the store, with how often it stands there."""
    found: Counter[str] = Counter()
    os.environ.update(here.env)
    owner = Caller(agent="", name="operator", peer=f"uid:{os.geteuid()}", operator=True)
    async with AsyncExitStack() as stack:
        hub = await wiring.open_hub(config.load(home=here.home), stack)
        for place in (await hub.conversations.list(owner)).places:
            after = 0
            while page := await hub.messages.list(owner, place.conversation.id, after, 500):
                found.update(letter.text for letter, _ in page)
                after = page[-1][0].message.id
    return found
