"""Conversations in the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from multiagent_bridge.model.conversations import Conversation


class Conversations(Protocol):
    async def add(self, conversation: Conversation) -> None:
        """Raises Conflict when the id is taken."""

    async def get(self, conversation_id: str) -> Conversation | None: ...

    async def count_message(self, conversation_id: str, size: int) -> int:
        """Take the next message id and count one message of `size` bytes towards the quota. Returns the id."""
        ...

    async def extend(self, conversation_id: str, expires_at: int) -> None: ...

    async def list(self) -> Sequence[Conversation]:
        """All, oldest first."""
        ...

    async def expired(self, before: int, limit: int) -> Sequence[Conversation]:
        """The `limit` that expired first, of those that expired at or before `before`; the longest expired first."""
        ...

    async def sealed_elsewhere(self, key_id: str, limit: int) -> Sequence[Conversation]:
        """The oldest `limit` whose data key is not wrapped under the master key of that id (8 hex digits)."""
        ...

    async def reseal(self, conversation_id: str, sealed_key: bytes, was: bytes) -> bool:
        """Replace the wrapped data keys if they still equal `was`: of many who race one gets True."""
        ...

    async def aged(self, limit: int) -> Sequence[Conversation]:
        """The oldest `limit` that have more than one data key: older ones, which still open what they sealed."""
        ...

    async def newest(self, limit: int, before: str | None = None) -> Sequence[Conversation]:
        """The newest `limit`, those of `list` before the conversation `before` if given, newest first; none when that is gone."""
        ...

    async def remove(self, conversation_id: str) -> None:
        """Remove it with its sessions, messages, deliveries, invites, bindings, enablings, grants, commands and rate buckets;
        the journal stays.
        """
