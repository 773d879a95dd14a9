"""The journal as somebody from outside may read it: every verb passes the gate, an export is an entry of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from multiagent_bridge.model.callers import Caller
from multiagent_bridge.model.journal import Entry
from multiagent_bridge.ports import Tx
from multiagent_bridge.services.evidence import Evidence, Verified
from multiagent_bridge.services.gate import Gate, Ticket
from multiagent_bridge.services.journal import PAGE, Journal
from multiagent_bridge.services.reports import Fields, Reports

HELD = 250
"""Lines of an export that are in memory at once."""


class Audit:
    def __init__(self, gate: Gate, journal: Journal, evidence: Evidence, reports: Reports) -> None:
        self._gate = gate
        self._journal = journal
        self._evidence = evidence
        self._reports = reports

    async def entries(
        self, caller: Caller, after: int = 0, limit: int = PAGE, conversation_id: str | None = None
    ) -> Sequence[Entry]:
        """Entries above `after`, in order; of whoever is confined, those of its conversations. Raises NotAllowed, TooFast."""

        async def read(tx: Tx, now: int, ticket: Ticket) -> Sequence[Entry]:
            return await tx.journal.entries(after, min(limit, PAGE), conversation_id)

        return await self._gate.own(caller, "journal.read", read)

    async def newest(self, caller: Caller, limit: int, conversation_id: str | None = None) -> Sequence[Entry]:
        """The last `limit` entries, oldest first. Raises NotAllowed, TooFast."""

        async def read(tx: Tx, now: int, ticket: Ticket) -> Sequence[Entry]:
            return await tx.journal.newest(min(limit, PAGE), conversation_id)

        return await self._gate.own(caller, "journal.read", read)

    async def verify(self, caller: Caller, kept: Sequence[str] = ()) -> Verified:
        """`Evidence.verify`, for whoever may. Raises NotAllowed, TooFast, Tampered, Invalid."""
        await self._allowed(caller, "journal.verify")
        return await self._evidence.verify(kept)

    async def report(self, caller: Caller, conversation_id: str | None = None) -> Fields:
        """`Reports.report`, for whoever may. Raises NotAllowed, TooFast, Tampered, NotFound."""
        await self._allowed(caller, "journal.report")
        return await self._reports.report(conversation_id)

    async def export(self, caller: Caller) -> tuple[str, AsyncIterator[str]]:
        """A signed checkpoint, and every stored line as it lies there. Raises NotAllowed, TooFast."""

        async def noted(tx: Tx, now: int, ticket: Ticket) -> None:
            head = await tx.journal.head()
            await self._journal.record(tx, ticket, now, "journal.export", "", {"size": head.size})

        await self._gate.own(caller, "journal.export", noted)
        return await self._journal.checkpoint(), self._journal.lines(HELD)

    async def checkpoint(self, caller: Caller) -> str:
        """Sign what the journal is now, and keep the note. Returns it. Raises NotAllowed, TooFast."""

        async def noted(tx: Tx, now: int, ticket: Ticket) -> None:
            await self._journal.record(tx, ticket, now, "journal.checkpoint")

        await self._gate.own(caller, "journal.checkpoint", noted)
        return await self._journal.checkpoint()

    async def last_checkpoint(self, caller: Caller) -> tuple[int, str, str] | None:
        """The newest note: how many entries it vouches for, the note, and what checks it. None before the first.

        Raises NotAllowed.
        """
        found = await self._gate.look(caller, "journal.checkpoint", lambda tx, now: tx.journal.last_checkpoint())
        return (*found, self._journal.verifier_key) if found else None

    async def _allowed(self, caller: Caller, action: str) -> None:
        async def nothing(tx: Tx, now: int, ticket: Ticket) -> None:
            return None

        await self._gate.own(caller, action, nothing)
