"""A scene for pictures of `mab top`: a clock that stands still and ids that are always the same.

`drawn()` gives the pictures by name, as SVG: the same bytes whenever the program draws the same words.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from multiagent_bridge.adapters.background import TaskBackground
from multiagent_bridge.adapters.bell import MemoryBell
from multiagent_bridge.adapters.keys import MasterKeys
from multiagent_bridge.adapters.memory.store import MemoryStore
from multiagent_bridge.adapters.meter import StoreMeter
from multiagent_bridge.adapters.system import RandomIds
from multiagent_bridge.cli.top.feed import Feed
from multiagent_bridge.cli.top.pictures import picture
from multiagent_bridge.guard.redact import Redactor
from multiagent_bridge.model.callers import NO_CREDENTIALS
from multiagent_bridge.model.limits import Limits
from multiagent_bridge.model.sandboxes import Profile
from multiagent_bridge.model.yolo import PHRASE
from multiagent_bridge.services.hub import Ground, Hub, assemble
from multiagent_bridge.testing.clock import FakeClock
from multiagent_bridge.testing.hubs import MASTER, OWNER, Default, agent
from multiagent_bridge.testing.snapshots import MemorySnapshots
from multiagent_bridge.testing.workspaces import MemoryWorkspaces
from tests.faces.top_yard import station
from tests.services.guarded import WORKSPACE, StagedSandbox

COLUMNS, LINES = 120, 32


class FixedIds(RandomIds):
    """Numbers one after the other, in the form of ids."""

    def __init__(self) -> None:
        super().__init__("stage")
        self._numbers = itertools.count(0x7F3A)

    def conversation(self) -> str:
        return self.named("conv")

    def named(self, prefix: str) -> str:
        return f"{prefix}_{next(self._numbers) * 0x9E3779B97F4A7C15 % 2**48:012x}"


async def scene() -> tuple[Hub, FakeClock]:
    """Two conversations: one at work, with a request that waits, in the other somebody has fallen silent."""
    clock, workspaces, sandbox = FakeClock(), MemoryWorkspaces(), StagedSandbox()
    sandbox.name = "bubblewrap"
    sandbox.seen = Profile("bubblewrap", "f" * 64, ("safe", "restricted", "yolo"))
    snapshots = MemorySnapshots(workspaces, clock)
    ground = Ground(Default(), lambda line: (), (sandbox,), workspaces, snapshots, TaskBackground())
    hub = assemble(
        MemoryStore(), MemoryBell(), clock, FixedIds(), MasterKeys(MASTER), StoreMeter(), Redactor().redact, Limits(), ground
    )  # fmt: skip
    planner, worker = agent("planner"), agent("worker")
    made = await hub.conversations.create(planner, "planner", "worker 1")
    await hub.conversations.join(worker, NO_CREDENTIALS, made.invites[1])
    await hub.messages.send(planner, NO_CREDENTIALS, "split the migration in two", "task_assignment")
    clock.advance(400)
    backend, frontend, reviewer = agent("backend", yolo=True), agent("frontend"), agent("reviewer")
    made = await hub.conversations.create(backend, "backend", "frontend", ["reviewer"])
    await hub.conversations.join(frontend, NO_CREDENTIALS, made.invites[1])
    await hub.conversations.join(reviewer, NO_CREDENTIALS, made.invites[2])
    offer = await hub.yolo.offer(OWNER, made.conversation.id, "restricted", WORKSPACE)
    await hub.yolo.enable(OWNER, offer.enabling.id, PHRASE, offer.code)
    await hub.status.update(planner, NO_CREDENTIALS, "waiting")
    for who in (backend, frontend, reviewer):
        await hub.messages.check(who, NO_CREDENTIALS, hub.ids.claim())
    denied = await hub.commands.execute(backend, NO_CREDENTIALS, "npm install left-pad", dry_run=False)
    await hub.approvals.deny(OWNER, [str(denied.command_id)], "no new dependency")
    await hub.messages.send(backend, NO_CREDENTIALS, "the API returns 204 now", "info", to=["b"])
    clock.advance(20)
    await hub.status.update(frontend, NO_CREDENTIALS, "blocked")
    await hub.messages.send(frontend, NO_CREDENTIALS, "which field carries the cursor?", "question", to=["a"])
    await hub.commands.execute(backend, NO_CREDENTIALS, "pytest -q tests/api", dry_run=False)
    clock.advance(4)
    return hub, clock


async def drawn() -> Mapping[str, str]:
    """Each picture by its name: the panes, and the dialog that approves."""
    found = {}
    for name, keys in (("top", ()), ("top-approve", ("a",))):
        hub, clock = await scene()
        feed = Feed(station(hub, clock))
        found[name] = await picture(feed, clock, COLUMNS, LINES, keys, dialog=bool(keys))
    return found
