"""Keys of this hub in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from multiagent_bridge.adapters.postgres.queries import named
from multiagent_bridge.adapters.postgres.statements import Statements
from multiagent_bridge.adapters.rows import api_keys as rows
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
        return rows.api_key(row) if row else None

    async def by_digest(self, digest: bytes) -> ApiKey | None:
        row = await self._run.row(_SQL["by_digest"], {"digest": digest})
        return rows.api_key(row) if row else None

    async def list(self) -> Sequence[ApiKey]:
        return [rows.api_key(row) for row in await self._run.rows(_SQL["list"], {})]

    async def revoke(self, key_id: str, now: int) -> bool:
        return bool(await self._run.change(_SQL["revoke"], {"id": key_id, "now": now}))

    async def touch(self, key_id: str, now: int) -> None:
        await self._run.do(_SQL["touch"], {"id": key_id, "now": now})
