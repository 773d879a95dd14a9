"""A store that rings for those who follow the journal, after each commit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from multiagent_bridge.ports import Bell, Store, Tx

T = TypeVar("T")

JOURNAL = "journal"
"""The bell's topic of everything that was written."""


class RingingStore:
    """Passes everything on, and rings `journal` once a write is durable."""

    def __init__(self, store: Store, bell: Bell) -> None:
        self._store = store
        self._bell = bell
        self.pending = 0
        """Transactions that were handed to the store and have not ended: those under way, and those that wait for a turn."""

    async def write(self, work: Callable[[Tx], Awaitable[T]], *, brief: bool = False) -> T:
        self.pending += 1
        try:
            result = await self._store.write(work, brief=brief)
        finally:
            self.pending -= 1
        self._bell.ring(JOURNAL)
        return result

    async def read(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        self.pending += 1
        try:
            return await self._store.read(work)
        finally:
            self.pending -= 1

    async def close(self) -> None:
        await self._store.close()
