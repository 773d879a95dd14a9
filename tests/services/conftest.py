from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from multiagent_bridge.model.callers import NO_CREDENTIALS, Caller
from multiagent_bridge.model.mail import Mail, Sent
from multiagent_bridge.services.conversations import Created
from multiagent_bridge.services.hub import Hub
from multiagent_bridge.testing.clock import FakeClock
from multiagent_bridge.testing.hubs import TestHub, agent, memory_hub

from .guarded import Guarded, guarded


@dataclass
class Pair:
    """Alice (session a) and Bob (session b) in one conversation."""

    world: TestHub
    made: Created
    alice: Caller
    bob: Caller

    @property
    def hub(self) -> Hub:
        return self.world.hub

    @property
    def clock(self) -> FakeClock:
        return self.world.clock

    async def send(self, who: Caller, text: str, **words: object) -> Sent:
        return await self.hub.messages.send(who, NO_CREDENTIALS, text, **words)

    async def check(self, who: Caller, confirmed: bool = True, **words: object) -> Mail:
        claim = self.hub.ids.claim()
        mail = await self.hub.messages.check(who, NO_CREDENTIALS, claim, **words)
        if confirmed:
            await self.hub.messages.confirm(claim)
        return mail


async def paired(world: TestHub, *more_roles: str) -> Pair:
    alice, bob = agent("alice"), agent("bob")
    made = await world.hub.conversations.create(alice, "backend", "frontend", list(more_roles))
    await world.hub.conversations.join(bob, NO_CREDENTIALS, made.invites[1])
    return Pair(world, made, alice, bob)


@pytest.fixture
async def pair(anyio_backend: str) -> Pair:
    return await paired(memory_hub())


@pytest.fixture
async def guard(anyio_backend: str) -> AsyncIterator[Guarded]:
    made = await guarded()
    yield made
    await made.background.close()
