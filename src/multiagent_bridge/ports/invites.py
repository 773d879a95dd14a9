"""Invites in the store."""

from __future__ import annotations

from typing import Protocol

from multiagent_bridge.model.conversations import Invite


class Invites(Protocol):
    async def add(self, invite: Invite) -> None: ...

    async def take(self, digest: bytes) -> Invite | None:
        """Remove and return it: of many takers one gets it."""
        ...

    async def sweep(self, now: int) -> int:
        """Remove those expired at `now`. Returns how many."""
        ...
