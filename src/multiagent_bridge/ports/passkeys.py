"""Passkeys in the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from multiagent_bridge.model.passkeys import Challenge, Passkey


class Passkeys(Protocol):
    """Passkeys of people, and the one-time challenges they are asked with."""

    async def add_challenge(self, challenge: Challenge) -> None:
        """Raises Conflict when the digest is taken."""

    async def take_challenge(self, digest: bytes) -> Challenge | None:
        """Remove and return it: of many takers one gets it."""
        ...

    async def sweep(self, now: int) -> int:
        """Remove challenges that expired at `now`. Returns how many."""
        ...

    async def add(self, passkey: Passkey) -> None:
        """Raises Conflict when the id or the credential is taken."""

    async def by_credential(self, credential: bytes) -> Passkey | None: ...

    async def list(self) -> Sequence[Passkey]:
        """All, in the order they were added."""
        ...

    async def use(self, passkey_id: str, was: int, count: int, now: int) -> bool:
        """It signed at `now` and counts `count`, if its count is `was`; False otherwise, and when it is not there."""
        ...

    async def remove(self, passkey_id: str) -> bool:
        """False when it is not there."""
        ...
