"""Tests 9 and 12: a worker falls silent, a watchdog finds it, and its task goes to somebody who is there."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from multiagent_bridge.model.journal import Entry
from multiagent_bridge.validation.frame import Sheet
from multiagent_bridge.validation.mail import keeping
from multiagent_bridge.validation.stage import MAB
from multiagent_bridge.validation.team import Team, Worker, read, until

SLACK = 1.5
"""Seconds that a check itself may take, and a machine that is busy; never scaled."""

RECOVERY_SECONDS = 300
MICROSECONDS = 1_000_000


@asynccontextmanager
async def watching(team: Team, file: Path) -> AsyncIterator[None]:
    """`mab watchdog` as a process, whose alerts are lines of `file`."""
    profile = team.profile
    words = ["--interval", str(profile.check), "--threshold", str(profile.threshold), "--json", str(file)]
    started = await team.stage.start(*MAB, "watchdog", *words)
    try:
        yield
    finally:
        await started.ended()


def alerts(file: Path) -> list[dict[str, Any]]:
    """What the watchdog has said so far."""
    if not file.exists():
        return []
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line]


def silenced(alert: dict[str, Any], seat: str) -> bool:
    return bool(alert["kind"] == "silent" and alert["session_id"] == seat)


async def idle(team: Team, sheet: Sheet) -> None:
    """Test 9: a worker that accepted a task goes silent."""
    await team.gathered()
    await team.refilled()
    await team.rested()
    victim, profile = team.workers[0], team.profile
    others = [agent for agent in team.everybody if agent is not victim.agent]
    heard: dict[str, Any] = {}
    before = await team.ledger.size()
    async with team.minding(others, heard), watching(team, team.stage.root / "alerts-9"):
        task = await _taken(team, victim)
        last = time.time()
        sheet.did(
            "a worker accepted a task in the team's conversation and was not heard from again; seven others worked on"
        )
        limit = profile.threshold + profile.check + SLACK + profile.scaled(60) + 20
        completed = await until(limit, lambda: _entry(team, before, "task.complete", task), 0.1)
    entries = await team.ledger.entries(before)
    warned = first(entries, "silence.warn", f"session {victim.seat}")
    given = first(entries, "task.reassign", task)
    silent = warned.at / MICROSECONDS - last if warned else None
    handed = (given.at - warned.at) / MICROSECONDS if warned and given else None
    done = (completed.at - warned.at) / MICROSECONDS if warned and completed else None
    told = [m for m in heard.get(team.orchestrator.name, {}).get("heard", []) if m["from"] == "bridge"]
    sheet.did(f"mab watchdog looked every {profile.check:g} s, with a threshold of {profile.threshold:g} s")
    sheet.target(
        "silence until it was detected", "at most", profile.threshold + profile.check + SLACK, silent, "s"
    )  # fmt: skip
    sheet.target("silence before it was called one", "at least", round(profile.threshold - 0.5, 3), silent, "s")
    sheet.target("from detection until it was given away", "at most", profile.scaled(60), handed, "s")
    sheet.target("from detection until another completed it", "under", profile.scaled(RECOVERY_SECONDS), done, "s")
    sheet.holds("given to a worker, not to the orchestrator", bool(given and given.facts.get("to") not in ("", "a")))
    sheet.target("completions of the task", "exactly", 1, count(entries, "task.complete", task))
    sheet.target("other sessions called silent", "exactly", 0, _false(entries, victim.seat))
    sheet.holds("the orchestrator was told", any(f"session {victim.seat} " in m["text"] for m in told))


async def _taken(team: Team, victim: Worker) -> str:
    """A task that the worker holds and works on; its id."""
    made = await team.orchestrator.good(
        "assign_task", title="the part that is left", to=victim.seat, tries=6, **team.there
    )
    number = str(made["task_id"])
    await read(victim.agent, team.conversation)
    await victim.agent.good("update_my_status", status="working", tries=6, **team.there)
    await victim.agent.good("update_task", task_id=number, action="accept", tries=6, **team.there)
    return number


async def _entry(team: Team, after: int, action: str, target: str) -> Entry | None:
    return first(await team.ledger.entries(after), action, target)


def first(entries: Sequence[Entry], action: str, target: str) -> Entry | None:
    found = (e for e in entries if e.action == action and e.target == target and e.outcome == "done")
    return next(found, None)


def count(entries: Sequence[Entry], action: str, target: str) -> int:
    return sum(e.action == action and e.target == target and e.outcome == "done" for e in entries)


def _false(entries: Sequence[Entry], seat: str) -> int:
    """Warnings of anybody else."""
    return sum(e.action == "silence.warn" and e.target != f"session {seat}" for e in entries)


async def watchdog(team: Team, sheet: Sheet) -> None:
    """Test 12: a worker's keep-alive is killed without clean-up."""
    await team.gathered()
    await team.refilled()
    await team.rested()
    victim, profile, file = team.workers[1], team.profile, team.stage.root / "alerts-12"
    heard: dict[str, Any] = {}
    before = await team.ledger.size()
    async with AsyncExitStack() as stack:
        seats = [(worker, team.conversation, worker.seat, "") for worker in team.workers]
        kept = {
            seat: started for (_, _, seat, _), started in zip(seats, await keeping(team, stack, seats), strict=True)
        }
        await stack.enter_async_context(team.minding([team.orchestrator], heard))
        await stack.enter_async_context(watching(team, file))
        task = await _taken(team, victim)
        quiet = profile.threshold + 2 * profile.check
        await asyncio.sleep(quiet)
        # the one that was silent in test 9 is back, which is no alarm
        early = [one for one in alerts(file) if one["kind"] != "recovered"]
        kept[victim.seat].signalled(signal.SIGKILL)
        killed = time.time()
        sheet.did(
            f"eight keep-alives ran for {quiet:g} s, one of them for a worker with a task; then it was killed (SIGKILL)"
        )

        async def alarmed() -> dict[str, Any] | None:
            return next((one for one in alerts(file) if silenced(one, victim.seat)), None)

        alert = await until(profile.threshold + profile.check + profile.keepalive + SLACK + 5, alarmed, 0.05)
        alarm = time.time()
        entries = await team.ledger.entries(before)
        told = await until(profile.wait + 10, lambda: _told(team, before), 0.1)
    given = first(entries, "task.reassign", task)
    notices = [m for m in heard.get(team.orchestrator.name, {}).get("heard", []) if m["from"] == "bridge"]
    sheet.target("alerts before", "exactly", 0, len(early))
    sheet.holds("the alert names the right session", bool(alert and alert["conversation_id"] == team.conversation))
    sheet.target(
        "from the kill to the alert", "at most", profile.threshold + profile.check + SLACK,
        alarm - killed if alert else None, "s",
    )  # fmt: skip
    sheet.holds("its task went to another", bool(given and given.facts.get("to") not in ("", victim.seat)))
    sheet.holds(
        "the orchestrator was told", bool(told) and any(f"session {victim.seat} " in m["text"] for m in notices)
    )
    sheet.target("other sessions called silent", "exactly", 0, _false(entries, victim.seat))


async def _told(team: Team, after: int) -> Entry | None:
    """The orchestrator's reading of what the bridge said."""
    entries = await team.ledger.entries(after)
    warned = next((e.seq for e in entries if e.action == "silence.warn"), None)
    if warned is None:
        return None
    return next((e for e in entries if e.seq > warned and e.action == "message.deliver" and e.session == "a"), None)
