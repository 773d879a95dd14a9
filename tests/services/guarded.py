"""A conversation in which commands are enabled, over a sandbox that does what a test says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import anyio

from multiagent_bridge.adapters.background import TaskBackground
from multiagent_bridge.errors import NotFound, Unavailable
from multiagent_bridge.guard.redact import Redactor
from multiagent_bridge.model.callers import NO_CREDENTIALS, Caller
from multiagent_bridge.model.commands import Step
from multiagent_bridge.model.limits import Limits
from multiagent_bridge.model.mail import Mail
from multiagent_bridge.model.sandboxes import Captured, Confinement, Outcome, Profile, Program
from multiagent_bridge.model.workspaces import Workspace
from multiagent_bridge.model.yolo import PHRASE, Enabling
from multiagent_bridge.ports import Store
from multiagent_bridge.services.approvals import Approved, Scope
from multiagent_bridge.services.commands import Told
from multiagent_bridge.services.hub import Ground, Hub
from multiagent_bridge.testing.clock import FakeClock
from multiagent_bridge.testing.hubs import OWNER, Default, TestHub, agent, memory_hub
from multiagent_bridge.testing.snapshots import MemorySnapshots
from multiagent_bridge.testing.workspaces import MemoryWorkspaces

WORKSPACE = "/work/shop"


def outcome(stdout: str = "", exit_code: int = 0, stderr: str = "", ended: str = "") -> Outcome:
    out, err = stdout.encode(), stderr.encode()
    return Outcome(exit_code, Captured(out, b"", len(out)), Captured(err, b"", len(err)), 1_500_000, ended)


class StagedSandbox:
    """Runs nothing: notes what it was given and answers what it was told to."""

    name = "staged"

    def __init__(self) -> None:
        self.seen: Profile | None = Profile("staged", "f" * 64, ("safe", "restricted", "yolo"))
        self.runs: list[tuple[Sequence[Step], Confinement]] = []
        self.answer: Callable[[], Outcome] = lambda: outcome("hello\n")
        self.hold: anyio.Event | None = None
        self.version = "1"

    async def profile(self) -> Profile:
        if self.seen is None:
            raise Unavailable("it does not work here", "install it")
        return self.seen

    async def programs(self, workspace: Workspace, names: Sequence[str]) -> Sequence[Program]:
        if "pytest" in names and self.version == "0":
            raise NotFound("there is no pytest in the sandbox", "install it")
        return [Program(name, f"/usr/bin/{name}", self.version.rjust(64, "0")) for name in names]

    async def run(self, steps: Sequence[Step], programs: Sequence[Program], confinement: Confinement) -> Outcome:
        self.runs.append((steps, confinement))
        if self.hold is not None:
            await self.hold.wait()
        return self.answer()


@dataclass
class Guarded:
    """Alice, whose gate is open, and Bob, whose gate is not, in one conversation."""

    world: TestHub
    sandbox: StagedSandbox
    workspaces: MemoryWorkspaces
    snapshots: MemorySnapshots
    alice: Caller
    bob: Caller
    conversation: str
    background: TaskBackground = field(default_factory=TaskBackground)

    @property
    def hub(self) -> Hub:
        return self.world.hub

    @property
    def clock(self) -> FakeClock:
        return self.world.clock

    async def enable(self, mode: str = "restricted", network: bool = False, **more: int) -> Enabling:
        offer = await self.hub.yolo.offer(OWNER, self.conversation, mode, WORKSPACE, network=network, **more)
        return await self.hub.yolo.enable(OWNER, offer.enabling.id, PHRASE, offer.code)

    async def execute(self, command: str | None = None, who: Caller | None = None, **words: object) -> Told:
        return await self.hub.commands.execute(who or self.alice, NO_CREDENTIALS, command, **words)

    async def ask(self, command: str = "git status") -> str:
        """A pending request for `command`; its id."""
        told = await self.execute(command, dry_run=False)
        assert told.state == "pending", told.fields()
        assert told.command_id is not None
        return told.command_id

    async def approve(self, *ids: str, scope: Scope | None = None) -> Sequence[Approved]:
        proposal = await self.hub.approvals.propose(OWNER, ids, scope)
        return await self.hub.approvals.approve(OWNER, ids, proposal.code, scope)

    async def run(self, command_id: str, **words: object) -> Told:
        return await self.execute(command_id=command_id, dry_run=False, **words)

    async def mail(self, who: Caller) -> Mail:
        return await self.hub.messages.check(who, NO_CREDENTIALS, self.hub.ids.claim())

    async def actions(self) -> list[str]:
        return [entry.action for entry in await self.hub.journal.entries(0, 1000)]


async def guarded(limits: Limits | None = None, store: Store | None = None) -> Guarded:
    """Commands are not enabled yet."""
    sandbox, workspaces = StagedSandbox(), MemoryWorkspaces()
    clock, background = FakeClock(), TaskBackground()
    snapshots = MemorySnapshots(workspaces, clock)
    ground = Ground(Default(), lambda line: (), (sandbox,), workspaces, snapshots, background)
    world = memory_hub(limits, store, Redactor().redact, clock, ground)
    alice, bob = agent("alice", yolo=True), agent("bob")
    made = await world.hub.conversations.create(alice, "backend", "frontend")
    await world.hub.conversations.join(bob, NO_CREDENTIALS, made.invites[1])
    return Guarded(world, sandbox, workspaces, snapshots, alice, bob, made.conversation.id, background)
