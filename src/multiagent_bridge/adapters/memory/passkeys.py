"""Passkeys and their challenges in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from multiagent_bridge.adapters.memory.tables import Tables
from multiagent_bridge.errors import Conflict
from multiagent_bridge.model.passkeys import Challenge, Passkey


class Passkeys:
    __slots__ = ("_tables",)

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def add_challenge(self, challenge: Challenge) -> None:
        table = self._tables.changing().challenges
        if challenge.digest in table:
            raise Conflict("the challenge exists already", "ask for another")
        table[challenge.digest] = challenge

    async def take_challenge(self, digest: bytes) -> Challenge | None:
        return self._tables.changing().challenges.pop(digest, None)

    async def sweep(self, now: int) -> int:
        table = self._tables.changing().challenges
        over = [digest for digest, one in table.items() if one.expires_at <= now]
        for digest in over:
            del table[digest]
        return len(over)

    async def add(self, passkey: Passkey) -> None:
        table = self._tables.changing().passkeys
        if passkey.id in table or any(one.credential == passkey.credential for one in table.values()):
            raise Conflict("the passkey is registered already", "use it, or remove it first")
        table[passkey.id] = passkey

    async def by_credential(self, credential: bytes) -> Passkey | None:
        table = self._tables.looking().passkeys
        return next((one for one in table.values() if one.credential == credential), None)

    async def list(self) -> Sequence[Passkey]:
        return list(self._tables.looking().passkeys.values())

    async def use(self, passkey_id: str, was: int, count: int, now: int) -> bool:
        table = self._tables.changing().passkeys
        found = table.get(passkey_id)
        if found is None or found.count != was:
            return False
        table[passkey_id] = replace(found, count=count, used_at=now)
        return True

    async def remove(self, passkey_id: str) -> bool:
        return self._tables.changing().passkeys.pop(passkey_id, None) is not None
