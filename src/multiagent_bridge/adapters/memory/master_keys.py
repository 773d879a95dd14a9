"""Which master keys the store is under, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from multiagent_bridge.adapters.memory.tables import Tables
from multiagent_bridge.errors import Conflict
from multiagent_bridge.model.master_keys import CURRENT, STEPS, MasterKey


class MasterKeys:
    __slots__ = ("_tables",)

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def list(self) -> Sequence[MasterKey]:
        return list(self._tables.looking().master_keys.values())

    async def add(self, key: MasterKey) -> None:
        table = self._tables.changing().master_keys
        second = key.state == CURRENT and any(one.state == CURRENT for one in table.values())
        if key.id in table or second:
            raise Conflict("the master key is there already, or another one is current", "read them again")
        table[key.id] = key

    async def change(self, key: MasterKey, was: str) -> bool:
        if key.state not in STEPS[was]:
            raise RuntimeError(f"a master key does not go from {was} to {key.state}")
        table = self._tables.changing().master_keys
        found = table.get(key.id)
        if found is None or found.state != was:
            return False
        table[key.id] = replace(found, state=key.state, carried=key.carried)
        return True

    async def carry(self, key_id: str, carried: bytes, was: bytes) -> bool:
        table = self._tables.changing().master_keys
        found = table.get(key_id)
        if found is None or (found.state, found.carried) != (CURRENT, was):
            return False
        table[key_id] = replace(found, carried=carried)
        return True
