"""The audit journal in memory."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from multiagent_bridge.adapters.memory.tables import Tables
from multiagent_bridge.model import journal
from multiagent_bridge.model.journal import Draft, Entry, Head


class Journal:
    __slots__ = ("_tables",)

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def append(self, draft: Draft) -> tuple[Entry, Head]:
        tables = self._tables.changing()
        entry, tables.head = journal.append(tables.head, draft)
        tables.lines[entry.seq] = (entry.conversation, entry.line)
        return entry, tables.head

    async def head(self) -> Head:
        return self._tables.looking().head

    async def entries(self, after: int, limit: int, conversation_id: str | None = None) -> Sequence[Entry]:
        return [journal.parse(line) for _, line in islice(self._of(after, conversation_id), limit)]

    async def newest(self, limit: int, conversation_id: str | None = None) -> Sequence[Entry]:
        found = list(self._of(0, conversation_id))
        return [journal.parse(line) for _, line in found[max(0, len(found) - limit) :]]

    async def older(self, before: int, limit: int, conversation_id: str | None = None) -> Sequence[Entry]:
        found = [line for number, line in self._of(0, conversation_id) if number < before]
        return [journal.parse(line) for line in found[max(0, len(found) - limit) :][::-1]]

    async def lines(self, after: int, limit: int) -> Sequence[tuple[int, str]]:
        return list(islice(self._of(after, None), limit))

    async def add_checkpoint(self, size: int, note: str) -> None:
        # the first note of a size stays: a second one that differs must not hide it
        self._tables.changing().checkpoints.setdefault(size, note)

    async def checkpoints(self) -> Sequence[tuple[int, str]]:
        return sorted(self._tables.looking().checkpoints.items())

    async def last_checkpoint(self) -> tuple[int, str] | None:
        return max(self._tables.looking().checkpoints.items(), default=None)

    def _of(self, after: int, conversation_id: str | None) -> Sequence[tuple[int, str]]:
        lines = self._tables.looking().lines
        return [(n, line) for n, (c, line) in lines.items() if n > after and conversation_id in (None, c)]
