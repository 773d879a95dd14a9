"""kill -9 of the hub, a worker, the watchdog or the orchestrator, again and again, while tasks flow.

At the end every acknowledged task is there, in one legal state, completed once and under one fence.
`python -m benchmarks.task_crashes ROLE FILE` is one of the workers, or the orchestrator: a process of its own that speaks MCP
over `mab mcp`. What it was answered it writes to FILE, which outlives it.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.figures import Fact, Figure
from benchmarks.places import ROOT, Place, place
from benchmarks.wire import MAB, Failed, Wire
from multiagent_bridge import config, wiring
from multiagent_bridge.model.journal import Entry
from multiagent_bridge.model.tasks import HELD, OPEN, STEPS, Task

WORKERS = ("b", "c", "d", "e")
ROLES = ("hub", "worker", "watchdog", "orchestrator")
IN_FLIGHT = 16
WATCHDOG = ("watchdog", "--interval", "1", "--threshold", "3", "--capacity", "100")
EXPECTED = ("conflict: ", "refused: ", "unavailable: ")
"""What a worker may be told: another has it, it is for another, the hub has just gone."""


class Memory:
    """What one process wrote down: a line each, whole whenever it is killed."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, *words: object) -> None:
        handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(handle, json.dumps(words).encode() + b"\n")
        os.close(handle)

    def lines(self, kind: str) -> list[tuple[Any, ...]]:
        if not self._path.exists():
            return []
        found = [tuple(json.loads(line)) for line in self._path.read_text().splitlines()]
        return [line[1:] for line in found if line[0] == kind]


class Agent:
    """One session over a wire of its own; a call that could not be served, or came too late, gives None."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.seat = json.loads(os.environ["SEAT"])
        self.me = self.seat["session_id"]
        self._wire = Wire(os.environ)

    def call(self, name: str, **arguments: object) -> Any:
        try:
            return self._wire.call(name, **self.seat, **arguments)
        except Failed as failed:
            if not str(failed).startswith(EXPECTED):
                self.memory.add("complaint", self.me, name, str(failed))
            return None

    def tasks(self) -> list[Mapping[str, Any]]:
        found = self.call("list_tasks")
        return [task for task in found["tasks"] if task["state"] in OPEN] if found else []


def work(agent: Agent) -> None:
    """Take what is one's own or nobody's, and finish it; after a death first try what one had, under the fence of then."""
    chance = random.Random()
    finished = {task for task, _ in agent.memory.lines("done")}
    for task, fence in agent.memory.lines("took")[-20:]:
        if task not in finished:
            _complete(agent, task, fence)
    while True:
        free = [task for task in agent.tasks() if task["ready"] and task["assignee"] in (agent.me, None)]
        if not free:
            agent.call("check_messages", wait_seconds=1)
            continue
        task = chance.choice(free[:3])["task_id"]
        taken = agent.call("update_task", task_id=task, action="accept")
        if taken is None:
            continue
        agent.memory.add("took", task, taken["fence"])
        agent.call("update_task", task_id=task, action="progress", progress="half of it", fence=taken["fence"])
        time.sleep(chance.random() * 0.1)
        _complete(agent, task, taken["fence"])


def _complete(agent: Agent, task: str, fence: int) -> None:
    if agent.call("update_task", task_id=task, action="complete", result="done", fence=fence) is not None:
        agent.memory.add("done", task, fence)


def orchestrate(agent: Agent) -> None:
    """Keep tasks in flight: to one worker or to nobody, some after another; what comes back to oneself is given back."""
    chance = random.Random()
    enough = Path(os.environ["ENOUGH"])
    while True:
        open_tasks = agent.tasks()
        for task in open_tasks:
            if task["assignee"] == agent.me:
                agent.call("update_task", task_id=task["task_id"], action="release")
        if len(open_tasks) >= IN_FLIGHT or enough.exists():
            agent.call("check_messages", wait_seconds=1)
            continue
        words: dict[str, object] = {"priority": chance.choice(("P0", "P1", "P2", "P3")), "lease_seconds": 2}
        if chance.random() < 0.8:
            words["to"] = chance.choice(WORKERS)
        if open_tasks and chance.random() < 0.3:
            words["depends_on"] = [chance.choice(open_tasks)["task_id"]]
        made = agent.call("assign_task", title="a task", **words)
        if made is not None:
            agent.memory.add("made", made["task_id"])


@dataclass(slots=True)
class Team:
    """Every process of one run, by role; whoever is gone is started again."""

    here: Place
    seats: Mapping[str, Mapping[str, str]]
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    back: dict[str, float] = field(default_factory=dict)

    @property
    def memories(self) -> Mapping[str, Memory]:
        return {name: Memory(self.here.home / f"memory-{name}") for name in ("a", *WORKERS)}

    @property
    def done(self) -> int:
        return sum(len(memory.lines("done")) for memory in self.memories.values())

    def tended(self) -> None:
        """Start whoever does not run and is due to."""
        for name in ("watchdog", "a", *WORKERS):
            process = self.running.get(name)
            if process is not None and process.poll() is None:
                continue
            if time.monotonic() >= self.back.get(name, 0.0):
                self.running[name] = self._started(name)

    def killed(self, role: str, chance: random.Random) -> bool:
        """Kill one of that role; a worker may be away for longer than the watchdog's threshold."""
        if role == "hub":
            os.kill(int((self.here.home / "hub.pid").read_text()), signal.SIGKILL)
            return True
        name = {"watchdog": "watchdog", "orchestrator": "a"}.get(role) or chance.choice(WORKERS)
        process = self.running[name]
        process.kill()
        alive = process.wait(30) == -signal.SIGKILL
        if role == "worker":
            self.back[name] = time.monotonic() + chance.choice((0.0, 1.0, 6.0))
        return alive

    def ended(self) -> None:
        for process in self.running.values():
            process.kill()
            process.wait(30)

    def _started(self, name: str) -> subprocess.Popen[bytes]:
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        if name == "watchdog":
            return subprocess.Popen([MAB, *WATCHDOG], env=self.here.env, **quiet)  # type: ignore[call-overload, no-any-return]
        env = self.here.env | {"SEAT": json.dumps(self.seats[name]), "ENOUGH": str(self.here.home / "enough")}
        role, memory = "orchestrator" if name == "a" else "worker", self.here.home / f"memory-{name}"
        words = [sys.executable, "-m", "benchmarks.task_crashes", role, str(memory)]
        return subprocess.Popen(words, cwd=ROOT, env=env, **quiet)  # type: ignore[call-overload, no-any-return]


def crashes(quick: bool) -> list[Figure]:
    """One orchestrator, four workers, a watchdog and a hub, each a process; one of them is killed a hundred times."""
    wanted, chance = (10 if quick else 100), random.Random(3)
    roles = [ROLES[number % len(ROLES)] for number in range(wanted)]
    chance.shuffle(roles)
    with place() as here, _team(here) as team:
        kills = Counter(role for role in roles if _killed(team, role, chance))
        (here.home / "enough").touch()
        _drained(team)
        team.ended()
        tasks, entries, size = asyncio.run(_stored(here))
        # what each of them wrote down goes with the state directory
        return [_judged(wanted, kills, team.memories, tasks, entries, size)]


@contextmanager
def _team(here: Place) -> Iterator[Team]:
    wire = here.wire()
    made = wire.call(
        "create_conversation", my_role="orchestrator", partner_role="worker 1",
        more_roles=[f"worker {number}" for number in range(2, len(WORKERS) + 1)],
    )  # fmt: skip
    wire.close()
    seats = {
        name: {
            "conversation_id": made["conversation_id"],
            "session_id": name,
            "token": made[f"session_{name}_token"],
        }
        for name in ("a", *WORKERS)
    }
    team = Team(here, seats)
    try:
        team.tended()
        yield team
    finally:
        team.ended()


def _killed(team: Team, role: str, chance: random.Random) -> bool:
    """Wait until tasks are completed again, then kill one at a random moment of the next half second."""
    before, end = team.done, time.monotonic() + 60
    while team.done < before + 3 or (role == "hub" and not (team.here.home / "hub.pid").exists()):
        if time.monotonic() > end:
            return False
        team.tended()
        time.sleep(0.02)
    time.sleep(chance.random() * 0.5)
    with suppress(OSError, ValueError, KeyError):
        return team.killed(role, chance)
    return False


def _drained(team: Team) -> None:
    """Until every task is finished, a minute at most."""
    made, end = {task for (task,) in team.memories["a"].lines("made")}, time.monotonic() + 60
    while time.monotonic() < end:
        team.tended()
        if made <= {task for memory in team.memories.values() for task, _ in memory.lines("done")}:
            return
        time.sleep(0.5)
        if time.monotonic() > end - 50 and not asyncio.run(_open(team.here)):
            return


async def _open(here: Place) -> int:
    """How many tasks are unfinished."""
    tasks, _, _ = await _stored(here, verify=False)
    return sum(task.state in OPEN for task in tasks)


async def _stored(here: Place, verify: bool = True) -> tuple[Sequence[Task], Sequence[Entry], int]:
    """Every task, every entry of a task, and the size of the journal, all of which verifies; raises Tampered otherwise."""
    async with AsyncExitStack() as stack:
        hub = await wiring.open_hub(config.load(home=here.home), stack)
        (made,) = await hub.journal._store.read(lambda tx: tx.conversations.list())
        tasks = await hub.journal._store.read(lambda tx: tx.tasks.list(made.id, 1_000_000))
        if not verify:
            return tasks, (), 0
        entries = [entry for entry in await hub.journal.entries(0, 10_000_000) if entry.action.startswith("task.")]
        return tasks, entries, (await hub.journal.verify()).size


def _judged(
    wanted: int, kills: Counter[str], memories: Mapping[str, Memory], tasks: Sequence[Task], entries: Sequence[Entry],
    size: int,
) -> Figure:  # fmt: skip
    rows = {task.id: task for task in tasks}
    made = [task for (task,) in memories["a"].lines("made")]
    done = [pair for memory in memories.values() for pair in memory.lines("done")]
    ends = {task: _ends(task, entries) for task in rows}
    lost = [task for task in made if task not in rows]
    lost += [task for task, fence in done if ends.get(task) != [fence]]
    doubled = [task for task, times in Counter(task for task, _ in done).items() if times > 1]
    doubled += [task for task, fences in ends.items() if len(fences) > 1]
    wrong = [task.id for task in tasks if not _legal(task, ends[task.id], entries)]
    complaints = [line for memory in memories.values() for line in memory.lines("complaint")]
    moved = sum(entry.action == "task.reassign" and entry.outcome == "done" for entry in entries)
    refused = sum(entry.action == "task.update" and entry.outcome == "refused" for entry in entries)
    facts: dict[str, Fact] = {
        "kills": sum(kills.values()),
        **{f"kills_{role}": kills[role] for role in ROLES},
        "tasks": len(tasks),
        "acknowledged_tasks": len(made),
        "acknowledged_completions": len(done),
        "unfinished": sum(task.state in OPEN for task in tasks),
        "handed_over": moved,
        "refused_steps": refused,
        "lost": len(lost),
        "doubled": len(doubled),
        "errors": len(wrong),
        "complaints": "; ".join(str(line) for line in complaints[:5]),
        "journal_entries": size,
    }
    each = ", ".join(f"{kills[role]} {role}" for role in ROLES)
    measured = (
        f"{sum(kills.values())} kills ({each}); {len(tasks)} tasks, {len(done)} completions acknowledged, {moved} handed "
        f"over by the watchdog, {refused} late or wrong steps refused: {len(lost)} lost, {len(doubled)} done twice, "
        f"{len(wrong)} in no legal state, {facts['unfinished']} unfinished; journal of {size} entries verifies"
    )
    bad = lost or doubled or wrong or complaints or facts["unfinished"] or not (moved and made and done)
    what = f"`kill -9` of hub, worker, watchdog or orchestrator at random moments, {wanted} times while tasks flow"
    bar = "no task lost, none done twice under one fence, every state legal; journal verifies"
    return Figure("crashes", what, bar, measured, sum(kills.values()) == wanted and not bad, facts)


def _ends(task: str, entries: Sequence[Entry]) -> list[int]:
    """The fences under which it was completed, as the journal has it."""
    return [
        int(entry.facts["fence"] or 0)
        for entry in entries
        if entry.target == task and entry.action == "task.complete" and entry.outcome == "done"
    ]


AFTER = {
    "task.accept": "accepted", "task.progress": "in_progress", "task.complete": "complete", "task.fail": "failed",
    "task.release": "released",
}  # fmt: skip


def _legal(task: Task, ends: Sequence[int], entries: Sequence[Entry]) -> bool:
    """Whether the entries of the task are legal steps under a fence that never falls, and lead to where it stands."""
    state, fence = "", 0
    for entry in entries:
        if entry.target != task.id or entry.outcome != "done" or entry.action == "task.renew":
            continue
        now = int(entry.facts["fence"] or 0)
        if entry.action == "task.assign":
            after, first = "open", not state
            if not first:
                return False
        else:
            given = "reassigned" if entry.facts.get("to") else "released"
            after = AFTER.get(entry.action, given)
            if after != state and after not in STEPS.get(state, ()):
                return False
        if now < fence:
            return False
        state, fence = after, now
    held = (task.lease_expires_at is not None) == (task.state in HELD)
    return held and (task.state, task.fence) == (state, fence) and len(ends) == (task.state == "complete")


if __name__ == "__main__":
    role, path = sys.argv[1:]
    {"worker": work, "orchestrator": orchestrate}[role](Agent(Memory(Path(path))))
