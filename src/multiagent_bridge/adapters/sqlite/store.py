"""The embedded store: one SQLite file, safe for several processes at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import TypeVar, cast

from multiagent_bridge.adapters.sqlite.files import DatabaseFiles
from multiagent_bridge.adapters.sqlite.reading import ReadLane, Stale
from multiagent_bridge.adapters.sqlite.writing import WriteLane
from multiagent_bridge.errors import Unavailable
from multiagent_bridge.ports import Tx

T = TypeVar("T")

PATIENCE = 15.0
"""Seconds a transaction waits for its turn before its caller is told that somebody holds the lock."""

BUSY = 12.0
"""Seconds SQLite waits for a program that does not take part in the file lock (a shell, a backup)."""


class SqliteStore:
    """`ports.Store` over the file at `path`; `async with SqliteStore(path) as store`.

    One writing and one reading connection, a thread each; what is brief runs in the event loop while nothing else is under way
    and commits are quick. A caller cancelled while it waits does not stop its
    transaction: that runs to its end, and its result is dropped. Open it after any fork. `max_pages` bounds the file, for
    tests of a full disk.
    """

    def __init__(
        self,
        path: Path,
        *,
        patience: float = PATIENCE,
        busy: float = BUSY,
        max_pages: int | None = None,
        long_lived: bool = False,
    ) -> None:
        self._files = DatabaseFiles(path)
        self._writer = WriteLane(self._files, patience, busy, max_pages, long_lived)
        self._reader = ReadLane(self._files, self._writer, patience, busy)

    @property
    def path(self) -> Path:
        return self._files.path

    async def open(self) -> None:
        """Open the database, creating it and bringing its schema up to date. Once per instance.

        Raises Unavailable (locked, newer, not writable, somebody else's file, an unsafe SQLite) or Tampered (damaged).
        """
        self._writer.start()
        self._reader.start()
        try:
            await self._writer.call(self._writer.open)
        except BaseException:
            await self.close()
            raise

    async def write(self, work: Callable[[Tx], Awaitable[T]], *, brief: bool = False) -> T:
        return cast(T, await self._writer.transact(work, brief))

    async def read(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        try:
            return cast(T, await self._reader.transact(work))
        except Stale:
            await self._writer.call(self._writer.renew)
            return cast(T, await self._reader.transact(work))

    async def changed_elsewhere(self) -> bool:
        """Whether another process committed since the last call, or may have: the bell's backstop (50 us a call)."""
        try:
            return bool(await self._writer.call(self._writer.moved))
        except Unavailable:
            return True

    async def close(self) -> None:
        """Finish what was submitted, then close. Nothing more may be submitted. Bounded by twice the patience."""
        for lane in (self._reader, self._writer):
            await lane.stop(lane.shut)
        self._writer.close_lock()

    async def __aenter__(self) -> SqliteStore:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
