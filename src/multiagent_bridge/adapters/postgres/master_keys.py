"""Which master keys the store is under, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from multiagent_bridge.adapters.postgres.queries import named
from multiagent_bridge.adapters.postgres.statements import Statements
from multiagent_bridge.model.master_keys import STEPS, MasterKey

_SQL = named("master_keys")


class MasterKeys:
    __slots__ = ("_run",)

    def __init__(self, run: Statements) -> None:
        self._run = run

    async def list(self) -> Sequence[MasterKey]:
        return [MasterKey(*row) for row in await self._run.rows(_SQL["list"], {})]

    async def add(self, key: MasterKey) -> None:
        await self._run.do(_SQL["add"], asdict(key))

    async def change(self, key: MasterKey, was: str) -> bool:
        if key.state not in STEPS[was]:
            raise RuntimeError(f"a master key does not go from {was} to {key.state}")
        values = {"id": key.id, "state": key.state, "carried": key.carried, "was": was}
        return bool(await self._run.change(_SQL["change"], values))

    async def carry(self, key_id: str, carried: bytes, was: bytes) -> bool:
        values = {"id": key_id, "carried": carried, "was": was}
        return bool(await self._run.change(_SQL["carry"], values))
