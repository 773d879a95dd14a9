"""Who takes part: one orchestrator, eight workers, a conversation of two with each, and one of all nine."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from multiagent_bridge.validation.agents import Agent, Failed, Said
from multiagent_bridge.validation.ledger import Ledger
from multiagent_bridge.validation.profiles import Profile
from multiagent_bridge.validation.stage import Stage

ORCHESTRATOR = "orchestrator"
ROLES = ("backend", "frontend", "tests", "docs", "deploy", "review", "laptop", "second vendor")
"""Of the eight workers; the last is another vendor's agent."""

SEED = 1


@dataclass(slots=True)
class Worker:
    """One worker, its conversation of two with the orchestrator, and its session in the team's."""

    role: str
    agent: Agent
    conversation: str = ""
    token: str = ""
    seat: str = ""
    task: str = ""

    @property
    def here(self) -> dict[str, Any]:
        return {"conversation_id": self.conversation}


@dataclass(slots=True)
class Team:
    """Everything a test may use. `conversation` is the team's, once `gathered`."""

    profile: Profile
    stage: Stage
    ledger: Ledger
    orchestrator: Agent
    workers: list[Worker]
    conversation: str = ""
    began: int = 1
    chance: random.Random = field(default_factory=lambda: random.Random(SEED))  # noqa: S311

    @property
    def everybody(self) -> list[Agent]:
        return [self.orchestrator, *(worker.agent for worker in self.workers)]

    @property
    def there(self) -> dict[str, Any]:
        return {"conversation_id": self.conversation}

    def seated(self, seat: str) -> Worker:
        """The worker of a session of the team's conversation."""
        return next(worker for worker in self.workers if worker.seat == seat)

    async def gathered(self) -> None:
        """Open the conversation of all nine, once, and have every worker join it by its invite."""
        if self.conversation:
            return
        roles = [worker.role for worker in self.workers]
        made = await self.orchestrator.good(
            "create_conversation", my_role=ORCHESTRATOR, partner_role=roles[0], more_roles=roles[1:]
        )
        self.conversation = made["conversation_id"]

        async def joined(worker: Worker, row: dict[str, Any]) -> None:
            found = await worker.agent.good("join_conversation", invite=row["invite"])
            worker.seat = found["session_id"]

        rows = made["sessions"][1:]
        await asyncio.gather(*(joined(worker, row) for worker, row in zip(self.workers, rows, strict=True)))

    async def rested(self) -> None:
        """Everybody has read everything, in both conversations, and says that it waits: nobody owes an answer."""
        for worker in self.workers:
            for agent in (worker.agent, self.orchestrator):
                await read(agent, worker.conversation)
                await agent.good("update_my_status", status="waiting", tries=4, **worker.here)
        if self.conversation:
            for agent in self.everybody:
                await read(agent, self.conversation)
                await agent.good("update_my_status", status="waiting", tries=4, **self.there)

    async def refilled(self) -> None:
        """Every session's budget of a minute is whole again."""
        await asyncio.sleep(self.profile.refill)

    @asynccontextmanager
    async def minding(self, agents: Sequence[Agent], found: dict[str, Any]) -> AsyncIterator[None]:
        """These agents work by themselves in the team's conversation; what each heard and finished is in `found` at the end."""
        wait = self.profile.wait
        tasks = {
            agent.name: asyncio.create_task(
                agent.mind(self.conversation, wait, work=agent is not self.orchestrator), name=agent.name
            )
            for agent in agents
        }
        try:
            yield
        finally:
            await asyncio.gather(*(agent.rest() for agent in agents))
            for name, task in tasks.items():
                found[name] = await task


async def read(agent: Agent, conversation: str) -> list[dict[str, Any]]:
    """Everything unread of one conversation."""
    found: list[dict[str, Any]] = []
    while True:
        mail = await agent.good("check_messages", tries=6, conversation_id=conversation, limit=100)
        found += mail["messages"]
        if not mail["messages"] or not mail["unread"]:
            return found


def good(said: Sequence[Said]) -> list[Said]:
    """The calls that succeeded. Raises Failed with the first sentence when none did."""
    done = [one for one in said if not one.code]
    if said and not done:
        raise Failed(f"every {said[0].tool} was refused: {said[0].text}")
    return done


async def until(seconds: float, look: Any, pause: float = 0.05) -> Any:
    """What `look` (a coroutine function) returns as soon as it is true; None when that takes longer."""
    end = time.monotonic() + seconds
    while True:
        if found := await look():
            return found
        if time.monotonic() >= end:
            return None
        await asyncio.sleep(pause)
