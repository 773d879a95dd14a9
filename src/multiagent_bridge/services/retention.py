"""Retention: the hub itself removes what expired long ago, a few conversations at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from multiagent_bridge.errors import Fact
from multiagent_bridge.guard.liveness import drifted
from multiagent_bridge.model.callers import Caller
from multiagent_bridge.model.checkpoints import LARGEST_SIZE
from multiagent_bridge.model.conversations import Conversation
from multiagent_bridge.model.journal import Entry
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
"""Entries about the whole store that are read in one transaction while a restore is looked for."""

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
    """One a hub: it remembers how its clocks stood, and when it last read of a restore."""

    def __init__(self, gate: Gate, erasures: Erasures, clock: Clock) -> None:
        self._gate = gate
        self._erasures = erasures
        self._believed = Believed(clock)
        self._read = self._restored_at = 0

    async def sweep(self, caller: Caller, seconds: int) -> Sequence[Conversation]:
        """Remove every conversation that expired `seconds` ago or longer, 0 for none; the journal stays.

        What expired is found, removed and written down in one transaction, so that of several hubs one acts. One whose command
        runs is left for the next time; for `seconds` after a backup was restored, all are: somebody wanted what was in it.
        Raises NotAllowed (not the owner), Unavailable.
        """
        if seconds:
            await self._look_back(caller, seconds)
        gone: list[Conversation] = []
        while batch := await self._gate.own(caller, ACTION, self._batch(seconds)):
            self._erasures.committed(batch)
            gone += [one.conversation for one in batch]
        return gone

    async def _look_back(self, caller: Caller, seconds: int) -> None:
        """Read what was not read yet of the entries about the whole store: refusals by the thousand hide no restore."""
        since = self._believed.before(seconds * SECOND)
        below, top = LARGEST_SIZE, self._read
        while since is not None and below > self._read + 1:
            page = await self._gate.look(caller, ACTION, _older(below))
            if not page:
                break
            self._restored_at = max([self._restored_at, *(entry.at for entry in page if _says_restored(entry))])
            below, top = page[-1].seq, max(top, page[0].seq)
            if all(entry.at <= since for entry in page):
                break
        self._read = top

    def _batch(self, seconds: int) -> Callable[[Tx, int, Ticket], Awaitable[Sequence[Erased]]]:
        before = self._believed.before(seconds * SECOND) if seconds else None

        async def removed(tx: Tx, now: int, ticket: Ticket) -> Sequence[Erased]:
            erased: list[Erased] = []
            weight = 0
            due = await tx.conversations.expired(before, BATCH) if before is not None else ()
            if before is not None and due and (self._restored_at > before or await _restored(tx, before)):
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


def _older(below: int) -> Callable[[Tx, int], Awaitable[Sequence[Entry]]]:
    async def read(tx: Tx, now: int) -> Sequence[Entry]:
        return await tx.journal.older(below, LOOKED, "")

    return read


async def _restored(tx: Tx, since: int) -> bool:
    """Whether the newest entries say that the store came out of a backup since then."""
    return any(_says_restored(entry) and entry.at > since for entry in await tx.journal.newest(LOOKED, ""))


def _says_restored(entry: Entry) -> bool:
    return entry.action == "store.restore" and entry.outcome == "done"


async def _running(tx: Tx, conversation_id: str) -> bool:
    return any(command.state == "running" for command in await tx.commands.open(conversation_id, COMMANDS))
