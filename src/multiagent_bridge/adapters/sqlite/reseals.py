"""The replacement of data keys, in SQLite."""

from __future__ import annotations

from collections.abc import Sequence

from multiagent_bridge.adapters.sqlite.queries import named
from multiagent_bridge.adapters.sqlite.statements import Statements
from multiagent_bridge.model.reseals import PLACES, Reseal, SealedText

_SQL = named("reseals")


class Reseals:
    __slots__ = ("_run",)

    def __init__(self, run: Statements) -> None:
        self._run = run

    async def newest(self) -> Reseal | None:
        row = self._run.row(_SQL["newest"], {})
        return Reseal(*row) if row else None

    async def begin(self, began: int) -> None:
        self._run.do(_SQL["begin"], {"began": began})

    async def count(self, texts: int, data_keys: int) -> None:
        values = {"texts": texts, "data_keys": data_keys}
        self._run.change_one(_SQL["count"], values, "replacement of data keys")

    async def finish(self) -> bool:
        return bool(self._run.change(_SQL["finish"], {}))

    async def texts(self, conversation_id: str, name: bytes, after: int, limit: int) -> Sequence[SealedText]:
        found: list[SealedText] = []
        for place in PLACES:
            values = {"conversation_id": conversation_id, "name": name, "limit": max(limit - len(found), 0)}
            if place == "messages/body":
                values["after"] = after
            rows = self._run.rows(_SQL[f"texts_{_name(place)}"], values)
            found += [SealedText(conversation_id, place, number, sealed) for number, sealed in rows]
            if len(found) >= limit:
                break
        return found

    async def replace(self, text: SealedText, sealed: bytes) -> bool:
        values = {"conversation_id": text.conversation_id, "id": text.id, "sealed": sealed, "was": text.sealed}
        return bool(self._run.change(_SQL[f"replace_{_name(text.place)}"], values))

    async def replace_all(self, fresh: Sequence[tuple[SealedText, bytes]]) -> int:
        return [await self.replace(*one) for one in fresh].count(True)


def _name(place: str) -> str:
    return place.replace("/", "_")
