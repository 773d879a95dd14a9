"""Backups: whole copies of the store, kept elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from multiagent_bridge.model.backups import Backup


class Backups(Protocol):
    """Copies of the whole store, encrypted, in files. A path may begin with ~."""

    def name(self, folder: str, now: int) -> str:
        """The path in `folder` of a backup made at `now`."""
        ...

    async def prepare(self, path: str, recipients: Sequence[str], now: int) -> Backup:
        """Write one beside `path`, consistent and looked at, for the master key and the age `recipients`; not there yet.

        Raises Conflict when something is at `path`, Invalid for a recipient, Unavailable, Tampered for a damaged store.
        """
        ...

    async def publish(self, backup: Backup) -> None:
        """Give it its name, for good. Raises Conflict when something came there meanwhile; Unavailable."""
        ...

    async def discard(self, backup: Backup) -> None:
        """Remove what was prepared."""
        ...

    async def list(self, folder: str) -> Sequence[str]:
        """The paths of those in `folder` that `name` named, oldest first."""
        ...

    async def remove(self, path: str) -> None: ...
