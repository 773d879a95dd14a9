"""Gauges as somebody from outside may read them: they pass the gate, and cost the store little however often."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from multiagent_bridge.model.callers import Caller
from multiagent_bridge.model.gauges import Reading
from multiagent_bridge.model.limits import SECOND
from multiagent_bridge.model.tasks import OPEN
from multiagent_bridge.ports import Clock, Tx
from multiagent_bridge.services.gate import Gate, Ticket
from multiagent_bridge.services.presence import Presence
from multiagent_bridge.services.ringing import RingingStore

FRESH_SECONDS = 2.0
"""So long one look at the store answers whoever asks."""

PAGE = 200
"""Conversations whose tasks are counted in one transaction: others who read do not wait for a thousand."""

COMMANDS = 1_000
"""Most open commands that are looked at."""


class Gauges:
    def __init__(self, gate: Gate, store: RingingStore, presence: Presence, clock: Clock) -> None:
        self._gate = gate
        self._store = store
        self._presence = presence
        self._clock = clock
        self._kept: tuple[int, Reading] | None = None

    async def read(self, caller: Caller) -> Reading:
        """How everything stands, at most `FRESH_SECONDS` old. Raises NotAllowed, TooFast, Unavailable."""
        await self._gate.own(caller, "metrics.read", _nothing)
        now = self._clock.monotonic()
        if self._kept is None or now - self._kept[0] >= FRESH_SECONDS * SECOND:
            self._kept = now, await self._looked()
        return self._kept[1]

    async def _looked(self) -> Reading:
        now = self._clock.now()
        transactions = self._store.pending

        async def standing(tx: Tx) -> tuple[Reading, list[str]]:
            head = await tx.journal.head()
            signed = max((size for size, _ in await tx.journal.checkpoints()), default=0)
            waiting = [
                command.requested_at
                for command in await tx.commands.open(None, COMMANDS)
                if command.state == "pending" and command.expires_at > now
            ]
            live = [one.id for one in await tx.conversations.list() if not one.expired(now)]
            return Reading(
                conversations=len(live),
                approvals=len(waiting),
                longest=max(0.0, (now - min(waiting, default=now)) / SECOND),
                silences=len(await tx.silences.list()),
                entries=head.size,
                unsigned=head.size - signed,
                transactions=transactions,
                agents=len(self._presence),
            ), live

        reading, live = await self._store.read(standing)
        pages = [live[first : first + PAGE] for first in range(0, len(live), PAGE)]
        return replace(reading, tasks=sum([await self._store.read(_open_tasks(page)) for page in pages]))


def _open_tasks(conversations: Sequence[str]) -> Callable[[Tx], Awaitable[int]]:
    async def counted(tx: Tx) -> int:
        return sum([await tx.tasks.count(conversation, OPEN) for conversation in conversations])

    return counted


async def _nothing(tx: Tx, now: int, ticket: Ticket) -> None:
    """Only whether it is allowed."""
