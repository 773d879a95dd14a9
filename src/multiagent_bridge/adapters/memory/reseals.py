"""The replacement of data keys, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from multiagent_bridge.adapters.memory.tables import Tables, missing
from multiagent_bridge.errors import Conflict
from multiagent_bridge.model.reseals import FINISHED, PLACES, UNDER_WAY, Reseal, SealedText

_HELD = {
    "messages/body": ("messages", "body"),
    "sessions/note": ("sessions", "sealed_note"),
    "tasks/body": ("tasks", "body"),
    "commands/order": ("commands", "order"),
    "commands/reason": ("commands", "reason"),
    "commands/outcome": ("commands", "outcome"),
    "grants/scope": ("grants", "scope"),
    "yolo/wish": ("enablings", "wish"),
    "yolo/reason": ("enablings", "reason"),
}
"""The table and the field of each place."""


class Reseals:
    __slots__ = ("_tables",)

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def newest(self) -> Reseal | None:
        return self._tables.looking().reseals[-1] if self._tables.reseals else None

    async def begin(self, began: int) -> None:
        tables = self._tables.changing()
        if await self._under_way() is not None:
            raise Conflict("data keys are being replaced already", "look at it: mab master-key status")
        tables.reseals = (*tables.reseals, Reseal(began, UNDER_WAY))

    async def count(self, texts: int, data_keys: int) -> None:
        tables, found = self._tables.changing(), await self._under_way()
        if found is None:
            raise missing("replacement of data keys")
        counted = replace(found, texts=found.texts + texts, data_keys=found.data_keys + data_keys)
        tables.reseals = (*tables.reseals[:-1], counted)

    async def finish(self) -> bool:
        tables, found = self._tables.changing(), await self._under_way()
        if found is None:
            return False
        tables.reseals = (*tables.reseals[:-1], replace(found, state=FINISHED))
        return True

    async def texts(self, conversation_id: str, name: bytes, after: int, limit: int) -> Sequence[SealedText]:
        tables = self._tables.looking()
        found = []
        for place in PLACES:
            table, field = _HELD[place]
            rows = [row for row in getattr(tables, table).values() if row.conversation_id == conversation_id]
            for row in sorted(rows, key=lambda row: row.id):
                sealed: bytes = getattr(row, field)
                if sealed and sealed[:4] != name and (place != "messages/body" or row.id > after):
                    found.append(SealedText(conversation_id, place, row.id, sealed))
        return found[: max(limit, 0)]

    async def replace(self, text: SealedText, sealed: bytes) -> bool:
        table, field = _HELD[text.place]
        rows: dict[Any, Any] = getattr(self._tables.changing(), table)
        of_conversation = (text.conversation_id, text.id)
        key = of_conversation if of_conversation in rows else text.id
        row = rows.get(key)
        if row is None or (row.conversation_id, getattr(row, field)) != (text.conversation_id, text.sealed):
            return False
        rows[key] = replace(row, **{field: sealed})
        return True

    async def replace_all(self, fresh: Sequence[tuple[SealedText, bytes]]) -> int:
        return [await self.replace(*one) for one in fresh].count(True)

    async def _under_way(self) -> Reseal | None:
        found = await self.newest()
        return found if found is not None and found.state == UNDER_WAY else None
