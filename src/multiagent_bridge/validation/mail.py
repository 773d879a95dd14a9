"""Tests 11 and 13: mail reaches sessions whose clients sleep, and watchers instead of pollers."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from multiagent_bridge.validation.agents import Failed
from multiagent_bridge.validation.frame import Sheet
from multiagent_bridge.validation.stage import MAB, Started
from multiagent_bridge.validation.team import Team, Worker, read

MESSAGES = 30
PUSHES = 10
TWICE = 2
START_SECONDS = 60.0
PATIENCE_SECONDS = 30.0
"""What comes later than that counts as not come; what is late is measured."""

Seat = tuple[Worker, str, str, str]
"""Whose, of which conversation, which session, and its token; without one as the owner."""


async def keeping(team: Team, stack: AsyncExitStack, seats: Sequence[Seat]) -> list[Started]:
    """`mab keepalive` for each of these, started and heard from once."""
    began = await team.ledger.size()
    started = []
    for worker, conversation, session, token in seats:
        words = ["-c", conversation, "-s", session, "--interval", str(team.profile.keepalive), "--json"]
        if token:
            words += ["--token-file", str(_secret(worker.agent.folder / "token", token))]
        one = await team.stage.start(*MAB, "keepalive", *words)
        stack.push_async_callback(one.ended)
        started.append(one)
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        beats = {
            (e.conversation, e.session) for e in await team.ledger.entries(began) if e.action == "status.heartbeat"
        }
        if all((conversation, session) in beats for _, conversation, session, _ in seats):
            return started
        await asyncio.sleep(0.2)
    raise Failed("not every mab keepalive began to beat")


def _secret(file: Path, content: str) -> Path:
    """A file that its owner alone reads."""
    file.touch(mode=0o600)
    file.write_text(content, encoding="ascii")
    return file


async def keepalive(team: Team, sheet: Sheet) -> None:
    """Test 11: one message a minute to a random worker, while clients sleep and their keep-alives are awake."""
    await team.refilled()
    await team.rested()
    async with AsyncExitStack() as stack:
        seats = [(worker, worker.conversation, "b", worker.token) for worker in team.workers]
        kept = await keeping(team, stack, seats)
        order = team.workers * TWICE
        order += team.chance.choices(team.workers, k=MESSAGES - len(order))
        team.chance.shuffle(order)
        sheet.did(f"eight clients slept beside `mab keepalive --interval {team.profile.keepalive:g}`")
        sent, noticed = [], []
        for number, worker in enumerate(order):
            began = time.monotonic()
            said = await team.orchestrator.call("send_to_partner", tries=6, message=f"minute {number}", **worker.here)
            if said.code:
                raise Failed(f"message {number} was refused: {said.text}")
            sent.append((worker, int(said.fields["message_id"])))
            at = await _notice(kept[team.workers.index(worker)], int(said.fields["message_id"]), team.profile.mail)
            if at is not None:
                noticed.append(at - said.began)
            await asyncio.sleep(max(0.0, began + team.profile.mail - time.monotonic()))
        alive = sum([await _alive(team, worker) for worker in team.workers])
    read_later = 0
    for worker in team.workers:
        wanted = {number for one, number in sent if one is worker}
        mail = Counter(m["id"] for m in await read(worker.agent, worker.conversation))
        read_later += sum(mail[number] == 1 for number in wanted)
    sheet.did(
        f"sent {MESSAGES} messages, {team.profile.mail:g} s apart, each to a random worker; then the clients woke and read"
    )
    times = sheet.measure("from the send to the notice of the keep-alive", noticed, "s")
    per = Counter(worker.role for worker, _ in sent)
    sheet.target("messages noticed", "exactly", MESSAGES, len(noticed))
    sheet.target("unread until the client woke, then read once", "exactly", MESSAGES, read_later)
    sheet.target("mean until noticed", "under", team.profile.scaled(45), times.mean, "s")
    sheet.target("longest until noticed", "under", team.profile.scaled(60), times.most, "s")
    sheet.target("messages to the worker that got fewest", "at least", TWICE, min(per.values()))
    sheet.target("sessions alive at the end", "exactly", 8, alive)


async def _notice(started: Started, number: int, seconds: float) -> float | None:
    """When the keep-alive printed the notice of this message; None when it did not in time."""
    end = time.monotonic() + max(seconds, PATIENCE_SECONDS)
    try:
        while True:
            line = json.loads(await started.line(max(0.01, end - time.monotonic())))
            if line.get("message_id") == number:
                return time.monotonic()
    except TimeoutError:
        return None


async def _alive(team: Team, worker: Worker) -> bool:
    found = await team.orchestrator.good("check_partner_status", tries=4, **worker.here)
    return bool(found["alive"])


async def push(team: Team, sheet: Sheet) -> None:
    """Test 13: ten messages to watchers; from the sender's call to the line that `mab watch` prints."""
    await team.refilled()
    await team.rested()
    async with AsyncExitStack() as stack:
        before = await team.ledger.size()
        watchers = []
        for worker in team.workers:
            words = ["watch", worker.conversation, "--session", "b", "--json"]
            watchers.append(await team.stage.start(*MAB, *words))
            stack.push_async_callback(watchers[-1].ended)
        await _watched(team, before)
        sheet.did("eight `mab watch` waited for the mail of their session; nobody polled")
        took = []
        for number in range(PUSHES):
            worker = team.workers[number % len(team.workers)]
            said = await team.orchestrator.call("send_to_partner", tries=6, message=f"push {number}", **worker.here)
            if said.code:
                raise Failed(f"message {number} was refused: {said.text}")
            took += await _heard(watchers[number % len(watchers)], said.began)
            await asyncio.sleep(team.profile.push)
    times = sheet.measure("from the sender's call to the watcher's line", took, "ms")
    sheet.did(f"the orchestrator sent {PUSHES} messages, {team.profile.push:g} s apart")
    sheet.target("notices", "exactly", PUSHES, len(took))
    sheet.target("mean", "under", 50, times.mean, "ms")
    sheet.target("longest", "under", 200, times.most, "ms")


async def _watched(team: Team, before: int) -> None:
    """Every watcher has said in the journal that it watches."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        found = [e for e in await team.ledger.entries(before) if e.action == "journal.watch"]
        if len(found) >= len(team.workers):
            return
        await asyncio.sleep(0.2)
    raise Failed("not every mab watch began to watch")


async def _heard(watcher: Started, began: float) -> list[float]:
    """Milliseconds until the watcher's next line about mail; nothing when none comes."""
    try:
        while True:
            line = json.loads(await watcher.line(PATIENCE_SECONDS))
            at = time.monotonic()
            if line.get("event") == "mail":
                return [1000 * (at - began)]
    except TimeoutError:
        return []
