"""What the machine and the store tell of themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from multiagent_bridge.model.health import Copies, Engine


class Vitals(Protocol):
    """What a hub knows of its machine that a page may tell: sizes, versions and instants; no path, name or secret."""

    def versions(self) -> Mapping[str, str]:
        """Name to version of what the hub runs on: the program first."""
        ...

    async def engine(self) -> Engine:
        """What keeps the store, and how large that is. Raises Unavailable."""
        ...

    async def copies(self) -> Copies:
        """The backups that the hub makes by itself. Raises Unavailable."""
        ...
