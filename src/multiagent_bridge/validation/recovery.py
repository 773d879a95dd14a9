"""Test 7: a worker is killed half-way, another is cut off, and the store is locked while a third writes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from multiagent_bridge.validation.agents import Failed
from multiagent_bridge.validation.frame import Sheet
from multiagent_bridge.validation.team import Team, Worker, read, until

LEASE_SECONDS, KEPT_SECONDS = 5, 600
CHECKPOINT = "checkpoint: step 5 of 10"
MEANWHILE = "are you there"
LOCK_SECONDS = 14.0
"""A little longer than the store waits for a program that takes no part in its own lock: then writers are told."""

HOLD = (
    "import apsw, sys\n"
    "held = apsw.Connection(sys.argv[1])\n"
    "held.set_busy_timeout(10000)\n"
    "held.execute('BEGIN IMMEDIATE')\n"
    "print('held', flush=True)\n"
    "sys.stdin.read()\n"
    "held.execute('ROLLBACK')\n"
    "held.close()\n"
)
"""A program that is none of ours: it opens the database and holds the write lock until its standard input ends."""


async def recovery(team: Team, sheet: Sheet) -> None:
    """Test 7, in its three parts."""
    await team.gathered()
    await team.refilled()
    await _killed(team, sheet)
    await _cut_off(team, sheet)
    await _locked(team, sheet)


@dataclass(frozen=True, slots=True)
class Halves:
    """The two tasks of the worker that is killed, and the fences under which it held them."""

    lost: str
    kept: str
    fences: Mapping[str, int]


async def _killed(team: Team, sheet: Sheet) -> None:
    """SIGKILL half-way: the lost task goes to another under a new fence, the kept one is resumed from its checkpoint."""
    victim, other = team.workers[2], team.workers[3]
    tasks = await _half_done(team, victim)
    await victim.agent.kill()
    await team.orchestrator.good("send_to_partner", message=MEANWHILE, to=[victim.seat], tries=6, **team.there)
    sheet.did("a worker with two tasks half done was killed (SIGKILL), and a message was sent to it")
    fence = await _taken_over(team, other, tasks.lost, sheet)
    await victim.agent.connect()
    await _resumed(team, victim, tasks, sheet)
    done = await other.agent.good(
        "update_task", task_id=tasks.lost, action="complete", fence=fence, tries=6, **team.there
    )
    mail = await read(victim.agent, team.conversation)
    entries = await team.ledger.entries(team.began - 1)
    completions = [e for e in entries if e.action == "task.complete" and e.target in tasks.fences]
    sheet.holds("the other completed it", done["state"] == "complete")
    sheet.target("completions of the two tasks in the journal", "exactly", 2, len(completions))
    sheet.target("copies of the message sent meanwhile", "exactly", 1, sum(m["message"] == MEANWHILE for m in mail))


async def _half_done(team: Team, victim: Worker) -> Halves:
    """Two tasks that the worker accepted and left a checkpoint of."""
    fences: dict[str, int] = {}
    for title, lease in (("the lost one", LEASE_SECONDS), ("the kept one", KEPT_SECONDS)):
        made = await team.orchestrator.good(
            "assign_task", title=title, to=victim.seat, lease_seconds=lease, tries=6, **team.there
        )
        number = str(made["task_id"])
        taken = await victim.agent.good("update_task", task_id=number, action="accept", tries=6, **team.there)
        fences[number] = taken["fence"]
        await victim.agent.good(
            "update_task", task_id=number, action="progress", progress=CHECKPOINT, tries=6, **team.there
        )
    lost, kept = fences
    return Halves(lost, kept, fences)


async def _taken_over(team: Team, other: Worker, task: str, sheet: Sheet) -> int:
    """Another worker accepts the task once its lease is over, and finds the checkpoint. Returns its fence."""

    async def accepted() -> dict[str, Any] | None:
        said = await other.agent.call("update_task", task_id=task, action="accept", tries=6, **team.there)
        return None if said.code else dict(said.fields)

    taken = await until(LEASE_SECONDS + 30, accepted, 0.5)
    if taken is None:
        raise Failed("the task of the killed worker could not be accepted by another")
    sheet.holds("the other found its checkpoint", await _noted(other, team, task))
    return int(taken["fence"])


async def _resumed(team: Team, victim: Worker, tasks: Halves, sheet: Sheet) -> None:
    """The worker that was started again: it finds its conversations, is too late for one task, and finishes the other."""
    agent, here = victim.agent, team.there
    found = await agent.good("list_conversations")
    late = await agent.call(
        "update_task", task_id=tasks.lost, action="complete", fence=tasks.fences[tasks.lost], **here
    )
    again = await agent.good("update_task", task_id=tasks.kept, action="accept", tries=6, **here)
    checkpoint = await _noted(victim, team, tasks.kept)
    ended = await agent.good("update_task", task_id=tasks.kept, action="complete", tries=6, **here)
    sheet.did(
        "another took one task after its lease was over; the killed one was started again and tried to finish both"
    )
    sheet.target("conversations it found again", "exactly", 2, len(found["conversations"]))
    sheet.holds("its late completion was refused as a conflict", late.code == "conflict")
    sheet.holds("it went on from its checkpoint with the other task", checkpoint and ended["state"] == "complete")
    sheet.target("fence of the task it kept", "exactly", tasks.fences[tasks.kept], again["fence"])


async def _noted(worker: Worker, team: Team, task: str) -> bool:
    """Whether the worker sees the checkpoint among the notes of the task."""
    rows = (await worker.agent.good("list_tasks", **team.there))["tasks"]
    return any(CHECKPOINT in str(note["note"]) for row in rows if row["task_id"] == task for note in row["progress"])


async def _cut_off(team: Team, sheet: Sheet) -> None:
    """SIGSTOP to its shim: what its client sends meanwhile stays in the pipe."""
    worker = team.workers[4]
    texts = [f"buffered {n}" for n in range(3)]
    calls = [{"tool": "send_to_partner", "arguments": worker.here | {"message": text}, "tries": 6} for text in texts]
    os.kill(worker.agent.shim, signal.SIGSTOP)
    began = time.monotonic()
    try:
        sending = asyncio.create_task(worker.agent.burst(calls, together=True))
        await asyncio.sleep(team.profile.cut)
        meanwhile = await read(team.orchestrator, worker.conversation)
    finally:
        os.kill(worker.agent.shim, signal.SIGCONT)
    lasted = time.monotonic() - began
    said = await sending
    heard = [m["message"] for m in await read(team.orchestrator, worker.conversation)]
    arrived = sum(heard.count(text) == 1 for text in texts)
    sheet.did(f"a worker's way to the hub was stopped for {lasted:.1f} s while it sent three messages")
    sheet.target("cut off for at least", "at least", round(team.profile.cut, 3), lasted, "s")
    sheet.target("of them that came while it was cut off", "exactly", 0, sum(m["message"] in texts for m in meanwhile))
    sheet.target("sends that succeeded afterwards", "exactly", 3, sum(not one.code for one in said))
    sheet.target("messages that arrived once", "exactly", 3, arrived)


async def _locked(team: Team, sheet: Sheet) -> None:
    """A foreign process holds the database's write lock: the writer is told, and tries again with back-off."""
    worker = team.workers[5]
    holder = await team.stage.start(sys.executable, "-I", "-c", HOLD, str(team.stage.home / "bridge.db"), talk=True)
    try:
        if await holder.line(20) != "held":
            raise Failed("the lock of the store could not be taken")
        began = time.monotonic()
        sending = asyncio.create_task(
            worker.agent.call(
                "send_to_partner", tries=12, pause=0.2, message="written through a lock", idempotency_key="locked-1",
                **worker.here,
            )
        )  # fmt: skip
        await asyncio.sleep(LOCK_SECONDS)
        waiting = not sending.done()
        held = time.monotonic() - began
    finally:
        assert holder.process.stdin is not None
        holder.process.stdin.close()
    said = await sending
    pauses = [1000 * (after["began"] - before["ended"]) for before, after in pairwise(said.attempts)]
    heard = [m["message"] for m in await read(team.orchestrator, worker.conversation)]
    sheet.did(f"a foreign process held the store's write lock for {held:.1f} s while a worker sent")
    sheet.measure("pauses between tries", pauses, "ms")
    sheet.holds("nothing was written while it was locked", waiting)
    sheet.target("refusals as unavailable", "at least", 1, sum(one["code"] == "unavailable" for one in said.attempts))
    sheet.holds("the pauses grow or end the tries", all(b >= a for a, b in pairwise(pauses)))
    sheet.holds("it was written in the end", not said.code)
    sheet.target("copies that arrived", "exactly", 1, heard.count("written through a lock"))
