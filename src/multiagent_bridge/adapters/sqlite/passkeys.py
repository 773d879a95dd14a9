"""Passkeys and their challenges in SQLite."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from multiagent_bridge.adapters.sqlite.queries import named
from multiagent_bridge.adapters.sqlite.statements import Statements
from multiagent_bridge.model.passkeys import Challenge, Passkey

_SQL = named("passkeys")


class Passkeys:
    __slots__ = ("_run",)

    def __init__(self, run: Statements) -> None:
        self._run = run

    async def add_challenge(self, challenge: Challenge) -> None:
        self._run.do(_SQL["add_challenge"], asdict(challenge))

    async def take_challenge(self, digest: bytes) -> Challenge | None:
        row = self._run.row(_SQL["take_challenge"], {"digest": digest})
        return Challenge(*row) if row else None

    async def sweep(self, now: int) -> int:
        return self._run.change(_SQL["sweep"], {"now": now})

    async def add(self, passkey: Passkey) -> None:
        self._run.do(_SQL["add"], asdict(passkey))

    async def by_credential(self, credential: bytes) -> Passkey | None:
        row = self._run.row(_SQL["by_credential"], {"credential": credential})
        return Passkey(*row) if row else None

    async def list(self) -> Sequence[Passkey]:
        return [Passkey(*row) for row in self._run.rows(_SQL["list"], {})]

    async def use(self, passkey_id: str, was: int, count: int, now: int) -> bool:
        values = {"id": passkey_id, "was": was, "count": count, "now": now}
        return bool(self._run.change(_SQL["use"], values))

    async def remove(self, passkey_id: str) -> bool:
        return bool(self._run.change(_SQL["remove"], {"id": passkey_id}))
