"""Conversations in SQLite."""

from __future__ import annotations

from collections.abc import Sequence

from multiagent_bridge.adapters.sqlite.queries import named
from multiagent_bridge.adapters.sqlite.statements import Statements, missing
from multiagent_bridge.model.conversations import Conversation

_SQL = named("conversations")


class Conversations:
    __slots__ = ("_run",)

    def __init__(self, run: Statements) -> None:
        self._run = run

    async def add(self, conversation: Conversation) -> None:
        c = conversation
        values = {
            "id": c.id,
            "created_at": c.created_at,
            "expires_at": c.expires_at,
            "sealed_key": c.sealed_key,
            "last_message": c.last_message,
            "messages": c.messages,
            "bytes": c.bytes,
        }
        self._run.do(_SQL["add"], values)

    async def get(self, conversation_id: str) -> Conversation | None:
        row = self._run.row(_SQL["get"], (conversation_id,))
        return Conversation(*row) if row else None

    async def count_message(self, conversation_id: str, size: int) -> int:
        row = self._run.row(_SQL["count_message"], (size, conversation_id))
        if row is None:
            raise missing("conversation")
        return int(row[0])

    async def extend(self, conversation_id: str, expires_at: int) -> None:
        self._run.change_one(_SQL["extend"], {"id": conversation_id, "expires_at": expires_at}, "conversation")

    async def list(self) -> Sequence[Conversation]:
        return [Conversation(*row) for row in self._run.rows(_SQL["list"], {})]

    async def expired(self, before: int, limit: int) -> Sequence[Conversation]:
        rows = self._run.rows(_SQL["expired"], {"before": before, "limit": limit})
        return [Conversation(*row) for row in rows]

    async def sealed_elsewhere(self, key_id: str, limit: int) -> Sequence[Conversation]:
        values = {"name": bytes.fromhex(key_id), "limit": limit}
        return [Conversation(*row) for row in self._run.rows(_SQL["sealed_elsewhere"], values)]

    async def reseal(self, conversation_id: str, sealed_key: bytes, was: bytes) -> bool:
        values = {"id": conversation_id, "sealed_key": sealed_key, "was": was}
        return bool(self._run.change(_SQL["reseal"], values))

    async def aged(self, limit: int) -> Sequence[Conversation]:
        return [Conversation(*row) for row in self._run.rows(_SQL["aged"], {"limit": limit})]

    async def newest(self, limit: int, before: str | None = None) -> Sequence[Conversation]:
        values = {"limit": limit} if before is None else {"limit": limit, "before": before}
        rows = self._run.rows(_SQL["newest" if before is None else "newest_before"], values)
        return [Conversation(*row) for row in rows]

    async def remove(self, conversation_id: str) -> None:
        """The schema's cascades take everything but the buckets, whose keys begin with the id and a slash."""
        self._run.change_one(_SQL["remove"], {"id": conversation_id}, "conversation")
        self._run.do(_SQL["remove_buckets"], {"id": conversation_id})
