"""Keys of this hub in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from multiagent_bridge.adapters.memory.tables import Tables
from multiagent_bridge.errors import Conflict
from multiagent_bridge.model.identities import ApiKey


class ApiKeys:
    __slots__ = ("_tables",)

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def add(self, key: ApiKey) -> None:
        table = self._tables.changing().api_keys
        if key.id in table or any(one.digest == key.digest for one in table.values()):
            raise Conflict("the key exists already", "make another")
        table[key.id] = key

    async def get(self, key_id: str) -> ApiKey | None:
        return self._tables.looking().api_keys.get(key_id)

    async def by_digest(self, digest: bytes) -> ApiKey | None:
        return next((one for one in self._tables.looking().api_keys.values() if one.digest == digest), None)

    async def list(self) -> Sequence[ApiKey]:
        return list(self._tables.looking().api_keys.values())

    async def revoke(self, key_id: str, now: int) -> bool:
        table = self._tables.changing().api_keys
        found = table.get(key_id)
        if found is None or found.revoked_at is not None:
            return False
        table[key_id] = replace(found, revoked_at=now)
        return True

    async def touch(self, key_id: str, now: int) -> None:
        table = self._tables.changing().api_keys
        found = table.get(key_id)
        if found is not None and now > (found.used_at or 0):
            table[key_id] = replace(found, used_at=now)
