"""Keys of this hub in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from multiagent_bridge.adapters.postgres.queries import named
from multiagent_bridge.adapters.postgres.statements import Row, Statements
from multiagent_bridge.model.identities import ApiKey

_SQL = named("api_keys")


class ApiKeys:
    __slots__ = ("_run",)

    def __init__(self, run: Statements) -> None:
        self._run = run

    async def add(self, key: ApiKey) -> None:
        confined = None if key.conversations is None else " ".join(key.conversations)
        await self._run.do(_SQL["add"], {**asdict(key), "roles": " ".join(key.roles), "conversations": confined})

    async def get(self, key_id: str) -> ApiKey | None:
        row = await self._run.row(_SQL["get"], {"id": key_id})
        return _key(row) if row else None

    async def by_digest(self, digest: bytes) -> ApiKey | None:
        row = await self._run.row(_SQL["by_digest"], {"digest": digest})
        return _key(row) if row else None

    async def list(self) -> Sequence[ApiKey]:
        return [_key(row) for row in await self._run.rows(_SQL["list"], {})]

    async def revoke(self, key_id: str, now: int) -> bool:
        return bool(await self._run.change(_SQL["revoke"], {"id": key_id, "now": now}))

    async def touch(self, key_id: str, now: int) -> None:
        await self._run.do(_SQL["touch"], {"id": key_id, "now": now})


def _key(row: Row) -> ApiKey:
    number, name, digest, roles, conversations, *instants = row
    confined = None if conversations is None else tuple(conversations.split())
    return ApiKey(number, name, digest, tuple(roles.split()), confined, *instants)
