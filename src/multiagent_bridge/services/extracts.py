"""Extracts: one page of the journal in reads whose cost does not grow with it, however little of it fits."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from multiagent_bridge.errors import Invalid, NotFound
from multiagent_bridge.model.callers import Caller
from multiagent_bridge.model.extracts import Extract, Wanted
from multiagent_bridge.model.journal import Entry
from multiagent_bridge.model.limits import Limits
from multiagent_bridge.ports import Tx
from multiagent_bridge.services.gate import Gate, Ticket, origin

ROWS = 50
"""Entries of one page."""

SCAN = 3_000
"""Entries that one page reads at most."""

STEP = 250
"""Entries read in one transaction, so that others have their turn between two."""

CHARACTERS = 200
"""Longest word that is looked for."""


class Extracts:
    def __init__(self, gate: Gate, limits: Limits) -> None:
        self._gate = gate
        self._limits = limits

    async def page(self, caller: Caller, wanted: Wanted, before: int | None = None) -> Extract:
        """The newest entries that fit, those numbered below `before` if given.

        Reads `SCAN` entries at most and says how far it came; what must be searched is charged as a read of the caller.
        `until` is found by halving: where the clock was set back, entries around that place are found without it.
        Raises NotAllowed, Invalid for a word that is too long, TooFast.
        """
        for name in ("conversation", "actor", "action", "outcome", "target"):
            if len(getattr(wanted, name)) > CHARACTERS:
                raise Invalid(f"{name} is longer than {CHARACTERS} characters", "look for a part of it")
        if wanted.searches:
            await self._gate.own(caller, "journal.read", self._charged(caller))
        below = await self._gate.look(caller, "journal.read", lambda tx, now: _begin(tx, wanted.until, before))
        found: list[Entry] = []
        looked = through = 0
        while looked < SCAN:
            read = await self._gate.look(caller, "journal.read", _older(below, wanted.conversation))
            for entry in read:
                if wanted.since is not None and entry.at < wanted.since:
                    return Extract(found, looked, through, 0, full=False)
                looked, through = looked + 1, entry.seq
                if wanted.fits(entry):
                    found.append(entry)
                if len(found) == ROWS:
                    return Extract(found, looked, through, entry.seq if entry.seq > 1 else 0, full=True)
            if len(read) < STEP:
                return Extract(found, looked, through, 0, full=False)
            below = through
        return Extract(found, looked, through, through if through > 1 else 0, full=False)

    async def entry(self, caller: Caller, seq: int) -> Entry:
        """One entry by its number. Raises NotAllowed, NotFound."""

        async def looked(tx: Tx, now: int) -> Entry:
            found = await tx.journal.older(seq + 1, 1)
            if not found or found[0].seq != seq:
                raise NotFound("there is no such entry", "look at the newest ones")
            return found[0]

        return await self._gate.look(caller, "journal.read", looked)

    def _charged(self, caller: Caller) -> Callable[[Tx, int, Ticket], Awaitable[None]]:
        async def charged(tx: Tx, now: int, ticket: Ticket) -> None:
            # as often as an agent reads, whatever else its pages may ask for: a search costs the hub milliseconds
            await self._gate.limit(tx, f"{origin(caller)}:search", self._limits.reads, now)

        return charged


def _older(below: int, conversation: str) -> Callable[[Tx, int], Awaitable[Sequence[Entry]]]:
    async def read(tx: Tx, now: int) -> Sequence[Entry]:
        return await tx.journal.older(below, STEP, conversation or None)

    return read


async def _begin(tx: Tx, until: int | None, before: int | None) -> int:
    """The number below which to look."""
    low, high = 0, (await tx.journal.head()).size
    if before is not None:
        high = min(high, before - 1)
    if until is None:
        return high + 1
    while low < high:
        middle = (low + high) // 2
        found = await tx.journal.entries(middle, 1)
        if not found or found[0].at > until:
            high = middle
        else:
            low = found[0].seq
    return low + 1
