"""The audit journal in PostgreSQL: lines as they were written, and the head they lead to."""

from __future__ import annotations

from collections.abc import Sequence

from multiagent_bridge.adapters.postgres.ledger import head_of
from multiagent_bridge.adapters.postgres.queries import named
from multiagent_bridge.adapters.postgres.statements import Row, Statements, Values
from multiagent_bridge.adapters.rows import journal as rows
from multiagent_bridge.errors import Tampered
from multiagent_bridge.model.journal import Draft, Entry, Head

_SQL = named("journal")


class Journal:
    __slots__ = ("_run",)

    def __init__(self, run: Statements) -> None:
        self._run = run

    async def append(self, draft: Draft) -> tuple[Entry, Head]:
        """Chained at once, stored with the batch: nobody else can come between, the head is locked."""
        return self._run.written().append(draft)

    async def head(self) -> Head:
        if self._run.ledger is not None:
            return self._run.written().head
        row = await self._run.row(_SQL["head"], {})
        if row is None:
            raise Tampered("the head of the journal is gone", "verify the entries: mab audit --verify")
        return head_of(row[0])

    async def entries(self, after: int, limit: int, conversation_id: str | None = None) -> Sequence[Entry]:
        values: dict[str, str | int] = {"after": after, "limit": limit}
        if conversation_id is None:
            return rows.entries(await self._rows("lines", values))
        return rows.entries(await self._rows("lines_of", values | {"conversation_id": conversation_id}))

    async def newest(self, limit: int, conversation_id: str | None = None) -> Sequence[Entry]:
        if conversation_id is None:
            return rows.entries(await self._rows("newest", {"limit": limit}))[::-1]
        return rows.entries(await self._rows("newest_of", {"limit": limit, "conversation_id": conversation_id}))[::-1]

    async def older(self, before: int, limit: int, conversation_id: str | None = None) -> Sequence[Entry]:
        values: dict[str, str | int] = {"before": before, "limit": limit}
        if conversation_id is None:
            return rows.entries(await self._rows("older", values))
        return rows.entries(await self._rows("older_of", values | {"conversation_id": conversation_id}))

    async def lines(self, after: int, limit: int) -> Sequence[tuple[int, str]]:
        return [(seq, line) for seq, line in await self._rows("lines", {"after": after, "limit": limit})]

    async def add_checkpoint(self, size: int, note: str) -> None:
        await self._run.do(_SQL["add_checkpoint"], {"size": size, "note": note})

    async def checkpoints(self) -> Sequence[tuple[int, str]]:
        return [(size, note) for size, note in await self._run.rows(_SQL["checkpoints"], {})]

    async def last_checkpoint(self) -> tuple[int, str] | None:
        row = await self._run.row(_SQL["last_checkpoint"], {})
        return (row[0], row[1]) if row else None

    async def _rows(self, query: str, values: Values) -> list[Row]:
        """The lines of a query, those of this transaction among them."""
        ledger = self._run.ledger
        if ledger is not None and (waiting := self._run.written().unstored()) is not None:
            await self._run.do(_SQL["append"], waiting)
            ledger.stored()
        return await self._run.rows(_SQL[query], values)
