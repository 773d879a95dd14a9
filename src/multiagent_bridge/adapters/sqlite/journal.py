"""The audit journal in SQLite: lines as they were written, and the head they lead to."""

from __future__ import annotations

from collections.abc import Sequence

from multiagent_bridge.adapters.rows import journal as rows
from multiagent_bridge.adapters.sqlite.queries import named
from multiagent_bridge.adapters.sqlite.statements import Statements, wrote_in_a_read
from multiagent_bridge.model import journal
from multiagent_bridge.model.journal import Draft, Entry, Head

_SQL = named("journal")


class Journal:
    __slots__ = ("_run",)

    def __init__(self, run: Statements) -> None:
        self._run = run

    async def append(self, draft: Draft) -> tuple[Entry, Head]:
        chain = self._run.chain
        if chain is None:
            raise wrote_in_a_read()
        entry, head = journal.append(await self.head(), draft)
        chain.add(entry, head)
        return entry, head

    async def head(self) -> Head:
        chain = self._run.chain
        if chain is not None and chain.head is not None and self._run.live:
            return chain.head
        row = self._run.row(_SQL["head"], ())
        if chain is None:
            return Head.from_text(row[0]) if row else Head.EMPTY
        return chain.found(row[0] if row else "")

    async def entries(self, after: int, limit: int, conversation_id: str | None = None) -> Sequence[Entry]:
        self._run.store_chain()
        values: dict[str, str | int | bytes | None] = {"after": after, "limit": limit}
        if conversation_id is None:
            return rows.entries(self._run.rows(_SQL["lines"], values))
        return rows.entries(self._run.rows(_SQL["lines_of"], values | {"conversation_id": conversation_id}))

    async def newest(self, limit: int, conversation_id: str | None = None) -> Sequence[Entry]:
        self._run.store_chain()
        if conversation_id is None:
            return rows.entries(self._run.rows(_SQL["newest"], {"limit": limit}))[::-1]
        return rows.entries(self._run.rows(_SQL["newest_of"], {"limit": limit, "conversation_id": conversation_id}))[
            ::-1
        ]

    async def older(self, before: int, limit: int, conversation_id: str | None = None) -> Sequence[Entry]:
        self._run.store_chain()
        values: dict[str, str | int | bytes | None] = {"before": before, "limit": limit}
        if conversation_id is None:
            return rows.entries(self._run.rows(_SQL["older"], values))
        return rows.entries(self._run.rows(_SQL["older_of"], values | {"conversation_id": conversation_id}))

    async def lines(self, after: int, limit: int) -> Sequence[tuple[int, str]]:
        self._run.store_chain()
        return [(seq, line) for seq, line in self._run.rows(_SQL["lines"], {"after": after, "limit": limit})]

    async def add_checkpoint(self, size: int, note: str) -> None:
        self._run.do(_SQL["add_checkpoint"], {"size": size, "note": note})

    async def checkpoints(self) -> Sequence[tuple[int, str]]:
        return [(size, note) for size, note in self._run.rows(_SQL["checkpoints"], {})]

    async def last_checkpoint(self) -> tuple[int, str] | None:
        row = self._run.row(_SQL["last_checkpoint"], ())
        return (row[0], row[1]) if row else None
