"""API keys in the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from multiagent_bridge.model.identities import ApiKey


class ApiKeys(Protocol):
    async def add(self, key: ApiKey) -> None:
        """Raises Conflict when the id or the digest is taken."""

    async def get(self, key_id: str) -> ApiKey | None: ...

    async def by_digest(self, digest: bytes) -> ApiKey | None:
        """The key of that digest, ended or not."""
        ...

    async def list(self) -> Sequence[ApiKey]:
        """All, ended ones too, in the order they were added."""
        ...

    async def revoke(self, key_id: str, now: int) -> bool:
        """End it for good: of many who race one gets True; False when it is not there or was revoked before."""
        ...

    async def touch(self, key_id: str, now: int) -> None:
        """It was used at `now`; that never falls. Changes nothing when it is not there."""
