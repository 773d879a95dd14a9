"""A team under a watchdog: an orchestrator, workers, and a clock that is moved a check at a time."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from multiagent_bridge.guard.liveness import Rules
from multiagent_bridge.model.callers import NO_CREDENTIALS, Caller
from multiagent_bridge.model.limits import Limits, Window
from multiagent_bridge.model.silences import Alert
from multiagent_bridge.model.tasks import Task
from multiagent_bridge.testing.clock import FakeClock
from multiagent_bridge.testing.hubs import OWNER, TestHub, agent, memory_hub

PLENTY = Limits(
    writes=(Window(10_000, 60),), reads=(Window(10_000, 60),), invites=(Window(10_000, 60),),
    conversation_seconds=24 * 3600,
)  # fmt: skip
THRESHOLD, CHECK = 300, 60


@dataclass
class Team:
    """One conversation: session a is the orchestrator, a worker for each other role; all of them joined."""

    world: TestHub
    id: str
    workers: dict[str, Caller]
    rules: Rules = field(default_factory=Rules)

    @property
    def clock(self) -> FakeClock:
        return self.world.clock

    async def beat(self, *sessions: str) -> None:
        for session in sessions:
            await self.world.hub.status.heartbeat(self.workers[session], NO_CREDENTIALS)

    async def status(self, session: str, status: str) -> None:
        await self.world.hub.status.update(self.workers[session], NO_CREDENTIALS, status)

    async def send(self, who: str, text: str = "a secret plan", **words: object) -> int:
        sent = await self.world.hub.messages.send(self.workers[who], NO_CREDENTIALS, text, **words)
        return sent.message_id

    async def assign(self, to: str | None, by: str = "a", **words: object) -> str:
        made = await self.world.hub.tasks.assign(self.workers[by], NO_CREDENTIALS, "a task", to=to, **words)
        return made.task_id

    async def update(self, session: str, task_id: str, action: str, **words: object) -> None:
        await self.world.hub.tasks.update(self.workers[session], NO_CREDENTIALS, task_id, action, **words)

    async def task(self, task_id: str) -> Task:
        found = await self.world.store.read(lambda tx: tx.tasks.get(self.id, task_id))
        assert found is not None
        return found

    async def mail(self, session: str) -> list[str]:
        """What the session reads now; reading is a heartbeat."""
        hub, claim = self.world.hub, self.world.hub.ids.claim()
        found = await hub.messages.check(self.workers[session], NO_CREDENTIALS, claim, limit=100)
        await hub.messages.confirm(claim)
        return [letter.text for letter in found.letters]

    async def check(self, hub: TestHub | None = None) -> Sequence[Alert]:
        return (await (hub or self.world).hub.watchdog.check(OWNER, self.rules)).alerts

    async def watch(self, seconds: float, *alive: str, hub: TestHub | None = None) -> list[Alert]:
        """Let time pass with a check a minute; who is alive is heard from before each."""
        found: list[Alert] = []
        for _ in range(int(seconds // CHECK)):
            self.clock.advance(CHECK)
            await self.beat(*alive)
            found += await self.check(hub)
        return found

    async def entries(self, beginning: str) -> list[tuple[str, Any]]:
        found = await self.world.hub.journal.entries(0, 100_000)
        return [(e.action, dict(e.facts)) for e in found if e.action.startswith(beginning)]


async def gathered(*roles: str, world: TestHub | None = None, rules: Rules | None = None) -> Team:
    hub = world or memory_hub(PLENTY)
    boss = agent(f"boss {random.random()}")
    made = await hub.hub.conversations.create(boss, "orchestrator", roles[0], list(roles[1:]))
    workers = {"a": boss}
    for session, invite in zip(made.sessions[1:], made.invites[1:], strict=True):
        workers[session.id] = agent(f"{made.conversation.id} {session.id}")
        await hub.hub.conversations.join(workers[session.id], NO_CREDENTIALS, invite)
    return Team(hub, made.conversation.id, workers, rules or Rules())


def told(alerts: Sequence[Alert]) -> list[tuple[str, str]]:
    return [(alert.kind, alert.session_id) for alert in alerts]


def beside(world: TestHub, clock: FakeClock | None = None) -> TestHub:
    """Another watchdog on the same store: a process of its own, which remembers nothing."""
    return memory_hub(PLENTY, store=world.store, clock=clock or world.clock)
