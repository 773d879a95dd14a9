"""Bindings in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence

from multiagent_bridge.adapters.postgres.queries import named
from multiagent_bridge.adapters.postgres.statements import Statements
from multiagent_bridge.model.conversations import Binding

_SQL = named("bindings")


class Bindings:
    __slots__ = ("_run",)

    def __init__(self, run: Statements) -> None:
        self._run = run

    async def bind(self, binding: Binding) -> None:
        values = {
            "agent": binding.agent,
            "conversation_id": binding.conversation_id,
            "session_id": binding.session_id,
            "generation": binding.generation,
            "bound_at": binding.bound_at,
        }
        await self._run.do(_SQL["bind"], values)

    async def of(self, agent: str) -> Sequence[Binding]:
        rows = await self._run.rows(_SQL["of"], {"agent": agent})
        seen = self._run.seen
        for row in rows:
            seen["conversations", row[1]] = [row[5:12]]
            seen["sessions", row[1], row[13]] = [row[12:21]]
            for key, *times in zip(*(column or () for column in row[22:]), strict=True):
                seen["buckets", key] = [tuple(times)]
        if rows and rows[0][21]:
            seen["sessions", rows[0][1]] = [row[12:21] for row in rows]
        return [Binding(*one) for one in dict.fromkeys(row[:5] for row in rows)]

    async def holders(self, conversation_id: str, session_id: str) -> Sequence[str]:
        values = {"conversation_id": conversation_id, "session_id": session_id}
        return [agent for (agent,) in await self._run.rows(_SQL["holders"], values)]

    async def sweep(self, before: int, prefix: str) -> int:
        return await self._run.change(_SQL["sweep"], {"before": before, "prefix": prefix})
