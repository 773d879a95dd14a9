"""Several hubs over one store, whose master key is rotated under them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from multiagent_bridge.adapters.bell import MemoryBell
from multiagent_bridge.adapters.keys import MasterKeys
from multiagent_bridge.adapters.memory.store import MemoryStore
from multiagent_bridge.adapters.meter import StoreMeter
from multiagent_bridge.adapters.system import RandomIds
from multiagent_bridge.guard.redact import Redactor
from multiagent_bridge.model.callers import NO_CREDENTIALS, Credentials
from multiagent_bridge.model.limits import SECOND, Limits
from multiagent_bridge.model.reseals import Reseal
from multiagent_bridge.ports import Store
from multiagent_bridge.services import overlaps
from multiagent_bridge.services.conversations import Created
from multiagent_bridge.services.hub import assemble
from multiagent_bridge.testing.clock import FakeClock
from multiagent_bridge.testing.hubs import OWNER, TestHub, agent, nowhere

OLD, NEW, NEWER, FOREIGN = (bytes([n]) * 32 for n in (1, 2, 3, 9))


@dataclass
class Site:
    """One store; `ring` is what the source of every hub's keys holds now, the newest first."""

    store: Store = field(default_factory=MemoryStore)
    clock: FakeClock = field(default_factory=FakeClock)
    ring: tuple[bytes, ...] = (OLD,)
    limits: Limits = field(default_factory=Limits)

    async def hub(self, *masters: bytes, reread: bool = True) -> TestHub:
        """A hub that starts with these keys (or those of the source), and looks at the source again if `reread`."""
        source = (lambda: self.ring) if reread else None
        keys = MasterKeys(*(masters or self.ring), reread=source, clock=lambda: self.clock.monotonic() / SECOND)
        await overlaps.heard(self.store, keys)
        made = assemble(
            self.store, MemoryBell(), self.clock, RandomIds("test"), keys, StoreMeter(), Redactor().redact, self.limits, nowhere()
        )  # fmt: skip
        return TestHub(made, self.clock, self.store, keys)

    async def rotated(self, to: bytes = NEW, *, rewrapped: bool = True) -> TestHub:
        """Put a new key on the ring and hand over to it, as the command does. Returns the hub that did."""
        self.ring = (to, *self.ring)
        hub = await self.hub()
        await hub.hub.master_keys.rotate(OWNER)
        if rewrapped:
            await self.rewrap(hub)
        self.later()
        return hub

    async def rewrap(self, hub: TestHub) -> int:
        count = 0
        while found := await hub.hub.master_keys.rewrap(OWNER, 2):
            count += found
        return count

    async def resealed(self, hub: TestHub) -> Reseal:
        """Replace all older data keys, as the command does."""
        await hub.hub.reseals.begin(OWNER)
        while (await hub.hub.reseals.step(OWNER)).more:
            pass
        self.later()
        found = await self.store.read(lambda tx: tx.reseals.newest())
        assert found is not None
        return found

    async def retired(self, hub: TestHub) -> Sequence[str]:
        gone = await hub.hub.master_keys.retire(OWNER)
        self.ring = self.ring[:1]
        self.later()
        return gone

    def later(self, seconds: float = 2) -> None:
        self.clock.advance(seconds)


async def opened(world: TestHub) -> Created:
    made = await world.hub.conversations.create(agent("alice"), "backend", "frontend")
    await world.hub.conversations.join(agent("bob"), NO_CREDENTIALS, made.invites[1])
    return made


def seat(made: Created, session: str = "a") -> Credentials:
    index = [s.id for s in made.sessions].index(session)
    return Credentials(made.conversation.id, session, made.tokens[index])


async def heard(world: TestHub) -> list[str]:
    """Everything that bob was ever told, still to be acknowledged."""
    mail = await world.hub.messages.check(agent("bob"), NO_CREDENTIALS, world.hub.ids.claim(), auto_ack=False)
    return [letter.text for letter in mail.letters]


async def send(world: TestHub, text: str, given: Credentials = NO_CREDENTIALS, **words: object) -> int:
    """Alice says it, by her connection or, with credentials, as somebody whom nobody knows. Returns the message id."""
    who = agent("stranger") if given.token else agent("alice")
    return (await world.hub.messages.send(who, given, text, **words)).message_id
