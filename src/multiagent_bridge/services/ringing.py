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

    async def write(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        result = await self._store.write(work)
        self._bell.ring(JOURNAL)
        return result

    async def read(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        return await self._store.read(work)

    async def close(self) -> None:
        await self._store.close()
