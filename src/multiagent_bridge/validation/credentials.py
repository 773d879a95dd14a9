"""Test 10: credentials are pushed to a git repository, and eight workers with state of their own pick them up by themselves."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from multiagent_bridge.errors import Unavailable
from multiagent_bridge.validation.agents import Failed
from multiagent_bridge.validation.frame import NotHere, Sheet
from multiagent_bridge.validation.stage import MAB, Started
from multiagent_bridge.validation.team import ORCHESTRATOR, Team, Worker

WORK_SECONDS = 5.0
"""What the protocol's mean of 65 s leaves beside a poll of 60 s: work, which no clock scales."""

LONGEST_SECONDS = 60.0
"""What its longest time leaves beside one poll."""

START_SECONDS = 60.0


@dataclass(slots=True)
class Machine:
    """Where one worker lives: a state directory of its own, and the hub's socket as if it had been forwarded there."""

    worker: Worker
    home: Path
    session: str
    token: str
    key: str = ""

    @property
    def name(self) -> str:
        return f"machine-{self.worker.agent.name}"


async def credentials(team: Team, sheet: Sheet) -> None:
    """Test 10."""
    if shutil.which("git") is None:
        raise NotHere("there is no git on this machine")
    repository = await _repository(team)
    conversation, machines = await _machines(team)
    found = await _json(team, {}, "credentials", "keygen", "--json")
    await asyncio.gather(*(_identified(team, machine) for machine in machines))
    sheet.did("made an age identity on each of eight machines (a state directory each), and an empty git repository")
    async with AsyncExitStack() as stack:
        syncs = [await _sync(team, stack, machine, repository, found["publisher"]) for machine in machines]
        await asyncio.gather(*(_looked(started) for started in syncs))
        pushed = await _push(team, machines, repository, conversation)
        sheet.did(
            f"eight `mab credentials sync` looked every {team.profile.poll:g} s; then all credentials were pushed at once"
        )
        limit = team.profile.poll + LONGEST_SECONDS
        times = await asyncio.gather(*(_connected(started, pushed, limit) for started in syncs))
        rows = (await team.orchestrator.good("check_partner_status", conversation_id=conversation))["partners"]
    heard = sum(row["last_heartbeat"] is not None and row["status"] == "working" for row in rows)
    connected = [seconds for seconds in times if seconds is not None]
    stored = await _stored(team, repository)
    took = sheet.measure("from the push to the worker's connection", connected, "s")
    sheet.target("workers connected", "exactly", 8, len(connected))
    sheet.target("workers heard from by the orchestrator", "exactly", 8, heard)
    sheet.target("mean until connected", "at most", team.profile.poll + WORK_SECONDS, took.mean, "s")
    sheet.target("longest until connected", "at most", limit, took.most, "s")
    sheet.target(
        "tokens in clear in the repository", "exactly", 0, sum(one.token.encode() in stored for one in machines)
    )
    # their syncs have ended: nobody is to wait for these sessions
    status, _, said = await team.stage.mab("revoke", conversation)
    if status:
        raise Failed(f"mab revoke left with status {status}: {said.strip()}")
    sheet.target("objects of the repository that were searched, bytes", "at least", 1, len(stored))


async def _repository(team: Team) -> Path:
    """A bare repository that nobody has pushed to."""
    place = team.stage.root / "credentials.git"
    made = await team.stage.start("git", "init", "--quiet", "--bare", "--initial-branch=main", str(place))
    if await asyncio.wait_for(made.process.wait(), START_SECONDS):
        raise NotHere(f"git made no repository: {team.stage.said()}")
    return place


async def _machines(team: Team) -> tuple[str, list[Machine]]:
    """A conversation of nine whose eight workers have not come yet, and their machines."""
    roles = [worker.role for worker in team.workers]
    made = await team.orchestrator.good(
        "create_conversation", my_role=ORCHESTRATOR, partner_role=roles[0], more_roles=roles[1:]
    )
    machines = []
    for worker, row in zip(team.workers, made["sessions"][1:], strict=True):
        home = team.stage.folder(f"m-{worker.agent.name}")
        (home / "hub.sock").symlink_to(team.stage.home / "hub.sock")
        session = row["session_id"]
        machines.append(Machine(worker, home, session, made[f"session_{session}_token"]))
    return made["conversation_id"], machines


async def _identified(team: Team, machine: Machine) -> None:
    """The machine's age identity; its public key is what the owner is told of it."""
    made = await _json(team, {"MAB_HOME": str(machine.home)}, "credentials", "keygen", "--json")
    machine.key = made["recipient"]


async def _json(team: Team, environment: dict[str, str], *words: str) -> dict[str, Any]:
    status, out, said = await team.stage.mab(*words, environment=team.stage.environment(**environment))
    if status:
        raise Failed(f"mab {' '.join(words[:2])} left with status {status}: {said.strip()}")
    found: dict[str, Any] = json.loads(out)
    return found


async def _sync(team: Team, stack: AsyncExitStack, machine: Machine, repository: Path, publisher: str) -> Started:
    words = ["--worker", machine.name, "--repo", str(repository), "--publisher", publisher]
    started = await team.stage.start(
        *MAB, "credentials", "sync", *words, "--every", str(team.profile.poll), "--json",
        environment=team.stage.environment(MAB_HOME=str(machine.home)), folder=machine.home,
    )  # fmt: skip
    stack.push_async_callback(started.ended)
    return started


async def _stored(team: Team, repository: Path) -> bytes:
    """Every object of the repository, as it is before git packs it."""
    words = ("git", "-C", str(repository), "cat-file", "--batch", "--batch-all-objects")
    started = await team.stage.start(*words)
    assert started.process.stdout is not None
    content = await asyncio.wait_for(started.process.stdout.read(), START_SECONDS)
    if await started.process.wait():
        raise Failed(f"the repository cannot be read: {team.stage.said()}")
    return content


async def _looked(started: Started) -> None:
    """Until it has said that nothing is there for it yet."""
    await started.line(START_SECONDS)


async def _push(team: Team, machines: list[Machine], repository: Path, conversation: str) -> float:
    """Push what all eight need. Returns when the push had ended, on the monotonic clock."""
    rows = [
        {"name": one.name, "key": one.key, "conversation": conversation, "session": one.session} for one in machines
    ]
    listed = team.stage.root / "workers.json"
    listed.write_text(json.dumps(rows), encoding="utf-8")
    await _json(team, {}, "credentials", "push", "--workers", str(listed), "--repo", str(repository), "--json")
    return time.monotonic()


async def _connected(started: Started, since: float, limit: float) -> float | None:
    """Seconds until it said that its worker is connected; None when it did not within `limit`."""
    try:
        while True:
            line = json.loads(await started.line(max(0.01, since + limit - time.monotonic())))
            if line.get("event") == "connected":
                # one that was quicker than the end of the push took no time
                return max(0.0, time.monotonic() - since)
    except (TimeoutError, Unavailable):
        return None
