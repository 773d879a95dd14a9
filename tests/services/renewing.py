"""Hubs whose tokens are renewed, and agents that bring theirs with each call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from multiagent_bridge.model.callers import NO_CREDENTIALS, Caller, Credentials, Renewed
from multiagent_bridge.model.journal import Entry
from multiagent_bridge.model.limits import Limits, Window
from multiagent_bridge.model.mail import Mail
from multiagent_bridge.services.conversations import Created
from multiagent_bridge.testing.hubs import TestHub, agent, memory_hub

AGE, GRACE = 3_600, 300
"""Seconds, in these tests."""

WIDE = (Window(1_000_000, 60),)
RENEWING = Limits(rotate_seconds=AGE, grace_seconds=GRACE, reads=WIDE, writes=WIDE, conversation_seconds=30 * 86_400)


@dataclass
class Holder:
    """Somebody who has a token and no connection that is bound: what an answer brought is in `told`."""

    world: TestHub
    given: Credentials
    who: Caller = field(default_factory=lambda: agent("holder"))
    told: str = ""

    async def says(self, text: str = "hello") -> str:
        """Send it. Returns the token that the answer brought, or nothing."""
        renewed = Renewed()
        await self.world.hub.messages.send(self.who, replace(self.given, renewed=renewed), text)
        self.told = renewed.token
        return renewed.token

    async def checks(self, **words: object) -> tuple[Mail, str]:
        renewed = Renewed()
        given = replace(self.given, renewed=renewed)
        mail = await self.world.hub.messages.check(self.who, given, self.world.hub.ids.claim(), **words)
        return mail, renewed.token

    def takes(self, token: str) -> Holder:
        """The same with another token."""
        return replace(self, given=replace(self.given, token=token), told="")


@dataclass
class Team:
    """One conversation: alice opened it and is bound to a, bob took his invite and is bound to b."""

    world: TestHub
    made: Created

    @property
    def here(self) -> str:
        return self.made.conversation.id

    def holder(self, session: str = "a", name: str = "holder") -> Holder:
        index = [s.id for s in self.made.sessions].index(session)
        return Holder(self.world, Credentials(self.here, session, self.made.tokens[index]), agent(name))

    def later(self, seconds: float = AGE) -> None:
        self.world.clock.advance(seconds)

    async def generation(self, session: str = "a") -> int:
        found = await self.world.store.read(lambda tx: tx.sessions.get(self.here, session))
        assert found is not None
        return found.generation

    async def entries(self, *actions: str) -> list[Entry]:
        """Those of the conversation with one of these actions."""
        return [e for e in await self.world.hub.journal.newest(1_000, self.here) if e.action in actions]

    async def tokens(self) -> list[str]:
        """The actions about tokens, oldest first."""
        return [
            e.action for e in await self.world.hub.journal.newest(1_000, self.here) if e.action.startswith("token.")
        ]

    def ever(self, session: str = "a", upto: int = 9) -> Sequence[str]:
        """Every token that the session ever had or will have, by generation from 1."""
        return [self.world.keys.token(self.here, session, n) for n in range(1, upto + 1)]


async def gathered(world: TestHub | None = None, limits: Limits = RENEWING) -> Team:
    world = world or memory_hub(limits)
    made = await world.hub.conversations.create(agent("alice"), "backend", "frontend")
    await world.hub.conversations.join(agent("bob"), NO_CREDENTIALS, made.invites[1])
    return Team(world, made)
