"""Retention: the hub itself removes what expired long ago, a few conversations at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from multiagent_bridge.errors import Fact
from multiagent_bridge.guard.liveness import drifted
from multiagent_bridge.model.callers import Caller
from multiagent_bridge.model.conversations import Conversation
from multiagent_bridge.model.limits import SECOND
from multiagent_bridge.ports import Clock, Tx
from multiagent_bridge.services.erasures import COMMANDS, Erased, Erasures
from multiagent_bridge.services.gate import Gate, Ticket

ACTION = "conversation.tidy"

BATCH = 20
"""Conversations removed in one transaction."""

WEIGHT = 2_000
"""Messages after which a transaction takes no other conversation: who writes does not wait for ten thousand."""

LOOKED = 1_000
"""Newest entries about the whole store among which a restore is looked for."""

SURE_SECONDS = 300
"""A hub that starts removes nothing for so long (or the grace time, if that is shorter): a clock that is wrong when a machine
starts is mostly set right by then.
"""


class Believed:
    """A wall clock that nobody can hasten: what is erased does not come back when a clock is set right again.

    By as much as it is set ahead while this process runs, what has expired is kept for longer, until a whole grace time went
    by on the clock that cannot be set.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._wall, self._steady = clock.now(), clock.boottime()
        self._started = self._leapt = self._steady
        self._ahead = 0

    def before(self, grace: int) -> int | None:
        """What expired until then had its `grace` (microseconds); None while this process is too young to tell."""
        wall, steady = self._clock.now(), self._clock.boottime()
        drift = (wall - self._wall) - (steady - self._steady)
        self._wall, self._steady = wall, steady
        if drifted(drift):
            self._ahead, self._leapt = max(0, self._ahead + drift), steady
        if steady - self._leapt >= grace:
            self._ahead = 0
        if steady - self._started < min(SURE_SECONDS * SECOND, grace):
            return None
        return wall - self._ahead - grace


class Retention:
    """One a hub: it remembers how its clocks stood."""

    def __init__(self, gate: Gate, erasures: Erasures, clock: Clock) -> None:
        self._gate = gate
        self._erasures = erasures
        self._believed = Believed(clock)

    async def sweep(self, caller: Caller, seconds: int) -> Sequence[Conversation]:
        """Remove every conversation that expired `seconds` ago or longer, 0 for none; the journal stays.

        What expired is found, removed and written down in one transaction, so that of several hubs one acts. One whose command
        runs is left for the next time; for `seconds` after a backup was restored, all are: somebody wanted what was in it.
        Raises NotAllowed (not the owner), Unavailable.
        """
        gone: list[Conversation] = []
        while batch := await self._gate.own(caller, ACTION, self._batch(seconds)):
            self._erasures.committed(batch)
            gone += [one.conversation for one in batch]
        return gone

    def _batch(self, seconds: int) -> Callable[[Tx, int, Ticket], Awaitable[Sequence[Erased]]]:
        before = self._believed.before(seconds * SECOND) if seconds else None

        async def removed(tx: Tx, now: int, ticket: Ticket) -> Sequence[Erased]:
            erased: list[Erased] = []
            weight = 0
            due = await tx.conversations.expired(before, BATCH) if before is not None else ()
            if before is not None and due and await _restored(tx, before):
                return []
            for conversation in due:
                weight += conversation.messages
                if erased and weight > WEIGHT:
                    break
                if not await _running(tx, conversation.id):
                    why: dict[str, Fact] = {"by": "retention", "grace_seconds": seconds}
                    erased.append(await self._erasures.of(tx, ticket, now, conversation, why))
            return erased

        return removed


async def _restored(tx: Tx, since: int) -> bool:
    """Whether the store came out of a backup since then."""
    found = await tx.journal.newest(LOOKED, "")
    return any(entry.action == "store.restore" and entry.outcome == "done" and entry.at > since for entry in found)


async def _running(tx: Tx, conversation_id: str) -> bool:
    return any(command.state == "running" for command in await tx.commands.open(conversation_id, COMMANDS))
