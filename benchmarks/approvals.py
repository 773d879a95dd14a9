"""Eight hubs after each approval: how often does what was approved run?"""

from __future__ import annotations

import asyncio
import json
import os
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO, Any

from benchmarks.figures import Figure, milliseconds, p50, percentile
from benchmarks.places import place
from multiagent_bridge.adapters.background import TaskBackground
from multiagent_bridge.adapters.bell import DatagramBell
from multiagent_bridge.adapters.keys import MasterKeys
from multiagent_bridge.adapters.meter import StoreMeter
from multiagent_bridge.adapters.sqlite.store import SqliteStore
from multiagent_bridge.adapters.system import RandomIds, SystemClock
from multiagent_bridge.errors import BridgeError
from multiagent_bridge.guard.redact import Redactor
from multiagent_bridge.model.callers import Caller, Credentials
from multiagent_bridge.model.commands import Command, Step
from multiagent_bridge.model.limits import Limits, Window
from multiagent_bridge.model.sandboxes import Captured, Confinement, Outcome, Profile, Program
from multiagent_bridge.model.workspaces import Workspace
from multiagent_bridge.model.yolo import PHRASE
from multiagent_bridge.services.hub import Ground, Hub, assemble
from multiagent_bridge.testing.hubs import MASTER, OWNER, Default, agent
from multiagent_bridge.testing.snapshots import MemorySnapshots
from multiagent_bridge.testing.workspaces import MemoryWorkspaces

PROCESSES = 8
AT_ONCE = 20
"""Approved together, then raced for one after the other."""

WAIT_SECONDS = 20

ENDLESS = (Window(100_000_000, 60),)
LIMITS = Limits(writes=ENDLESS, reads=ENDLESS, creations=ENDLESS, failures=ENDLESS, conversation_messages=10**6)


class Tally:
    """A sandbox in which a run is one line appended to a file: a count that no database takes part in."""

    name = "tally"

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.looked = 0

    async def profile(self) -> Profile:
        return Profile(self.name, "0" * 64, ("safe", "restricted", "yolo"))

    async def programs(self, workspace: Workspace, names: Sequence[str]) -> Sequence[Program]:
        # asked for once more by whoever sees an approval and is about to use it up
        self.looked += 1
        return [Program(name, f"/usr/bin/{name}", "0" * 64) for name in names]

    async def run(self, steps: Sequence[Step], programs: Sequence[Program], confinement: Confinement) -> Outcome:
        os.write(self._file, f"{' '.join(steps[0].argv)}\n".encode())
        return Outcome(0, Captured(), Captured(), 1)


@dataclass(frozen=True)
class Rival:
    """A process with a hub of its own on the one store; it is told what to race for, and tells how it went."""

    process: int
    orders: IO[str]
    reports: IO[str]


def races(quick: bool) -> list[Figure]:
    """Approvals given by the operator's verbs, then `execute_command` for each from eight hubs of one SQLite file at once."""
    wanted = 100 if quick else 1_000
    began = time.monotonic()
    with place() as here, rivals(here.home) as all_of_them:
        asked, reports, commands = asyncio.run(_raced(here.home, wanted, all_of_them))
        ran = Counter((here.home / "runs").read_text("ascii").splitlines())
    times = [t for report in reports for t in report["times"]]
    errors = [e for report in reports for e in report["errors"]]
    done, won = sum(c.state == "done" for c in commands), Counter(c.runner for c in commands)
    lost = [line for line in asked if not ran[line]]
    doubled = [line for line, count in ran.items() if count > 1]
    facts = {
        "approvals": len(asked),
        "attempts": len(times),
        "runs": sum(ran.values()),
        "done": done,
        "lost": len(lost),
        "doubled": len(doubled),
        "never_sent": len(set(ran) - set(asked)),
        "errors": len(errors),
        "first_error": errors[0] if errors else None,
        "contenders": sum(report["looked"] for report in reports),
        "fewest_won": min(won.values()) if len(won) == PROCESSES else 0,
        "p50_ms": p50(times) * 1e3,
        "p99_ms": percentile(times, 0.99) * 1e3,
        "seconds": time.monotonic() - began,
    }
    each = facts["contenders"] / len(asked)
    measured = (
        f"{sum(ran.values()):,} runs of {len(asked):,} approvals in {len(times):,} attempts, {len(errors)} errors; "
        f"{each:.1f} hubs at once about to start each; an attempt p50 {milliseconds(p50(times))}"
    )
    met = not (lost or doubled or errors or facts["never_sent"]) and len(asked) == wanted == done
    what = f"{wanted:,} approvals, {PROCESSES} racing processes each"
    return [Figure("approvals", what, f"exactly {wanted:,} runs", measured, met, facts)]


async def _raced(
    home: Path, wanted: int, all_of_them: Sequence[Rival]
) -> tuple[list[str], list[dict[str, Any]], Sequence[Command]]:
    """Command lines that were asked for, what each rival reports, and every command as it ended."""
    alice = agent("alice", yolo=True)
    asked: list[str] = []
    async with AsyncExitStack() as stack:
        hub, store, _ = await _hub(home, stack, "person")
        made = await hub.conversations.create(alice, "asks", "watches")
        seat = Credentials(made.conversation.id, "a", made.tokens[0])
        offer = await hub.yolo.offer(OWNER, made.conversation.id, "safe", "/work/shop")
        await hub.yolo.enable(OWNER, offer.enabling.id, PHRASE, offer.code)
        while len(asked) < wanted:
            lines = [f"head -n {len(asked) + n} README" for n in range(1, AT_ONCE + 1)]
            ids = [await _asked(hub, alice, seat, line) for line in lines]
            proposal = await hub.approvals.propose(OWNER, ids)
            await hub.approvals.approve(OWNER, ids, proposal.code)
            asked += lines
            for rival in all_of_them:
                print(
                    json.dumps([[seat.conversation_id, seat.session_id, seat.token], ids]),
                    file=rival.orders,
                    flush=True,
                )
            for rival in all_of_them:
                assert json.loads(await asyncio.to_thread(rival.reports.readline)) == "raced"
        for rival in all_of_them:
            rival.orders.close()
        reports = [json.loads(await asyncio.to_thread(rival.reports.readline)) for rival in all_of_them]
        found = await store.read(lambda tx: tx.commands.list(None, 10**6))
        await hub.journal.verify()
    return asked, reports, found


async def _asked(hub: Hub, alice: Caller, seat: Credentials, line: str) -> str:
    told = await hub.commands.execute(alice, seat, line, dry_run=False)
    assert told.command_id is not None, told
    return told.command_id


async def _hub(home: Path, stack: AsyncExitStack, owner: str) -> tuple[Hub, SqliteStore, Tally]:
    """A hub as `wiring` makes it, but for the sandbox, and a workspace that is locked by nothing: the store alone decides."""
    store = SqliteStore(home / "bridge.db")
    await store.open()
    stack.push_async_callback(store.close)
    bell = DatagramBell(home / "bells", store.changed_elsewhere)
    await bell.open()
    stack.push_async_callback(bell.close)
    background, clock, folders, tally = TaskBackground(), SystemClock(), MemoryWorkspaces(), Tally(home / "runs")
    stack.push_async_callback(background.close)
    await folders.identify("/work/shop")
    ground = Ground(Default(), lambda line: (), (tally,), folders, MemorySnapshots(folders, clock), background)
    ids, keys, redact = RandomIds(owner), MasterKeys(MASTER), Redactor().redact
    return assemble(store, bell, clock, ids, keys, StoreMeter(), redact, LIMITS, ground), store, tally


@contextmanager
def rivals(home: Path) -> Iterator[Sequence[Rival]]:
    """Fork them before anything is opened here; they end with their orders."""
    made: list[Rival] = []
    for number in range(PROCESSES):
        orders, orders_end = os.pipe()
        reports_end, reports = os.pipe()
        process = os.fork()
        if not process:
            status = 1
            try:
                # an end that a sibling holds too would never close
                for other in made:
                    other.orders.close()
                    other.reports.close()
                os.close(orders_end)
                os.close(reports_end)
                with os.fdopen(orders) as told, os.fdopen(reports, "w") as telling:
                    asyncio.run(_rival(home, number, told, telling))
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        os.close(orders)
        os.close(reports)
        made.append(Rival(process, os.fdopen(orders_end, "w"), os.fdopen(reports_end)))
    try:
        yield made
    finally:
        for rival in made:
            rival.orders.close()
            rival.reports.close()
            os.waitpid(rival.process, 0)


async def _rival(home: Path, number: int, told: IO[str], telling: IO[str]) -> None:
    """Try to run each command it is told of, all in the same order, so that eight meet at every one."""
    me = agent("alice", yolo=True)
    times: list[float] = []
    errors: list[str] = []
    # nothing is opened before there is something to race for: the person's hub makes the store
    first = told.readline()
    async with AsyncExitStack() as stack:
        hub, _, tally = await _hub(home, stack, f"hub{number}")
        for line in chain([first], told):
            seat, ids = json.loads(line)
            for identity in ids:
                start = time.perf_counter()
                try:
                    # who comes late waits for the end as well, so that all eight are together at the next
                    await hub.commands.execute(
                        me, Credentials(*seat), command_id=identity, dry_run=False, wait_seconds=WAIT_SECONDS
                    )
                except BridgeError as error:
                    errors.append(str(error))
                times.append(time.perf_counter() - start)
            print(json.dumps("raced"), file=telling, flush=True)
    print(json.dumps({"times": times, "errors": errors, "looked": tally.looked}), file=telling, flush=True)
