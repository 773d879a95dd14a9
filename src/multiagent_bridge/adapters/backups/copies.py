"""Consistent copies of a store as one SQLite file, while hubs go on writing to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import TYPE_CHECKING

import apsw

from multiagent_bridge.adapters.sqlite.failures import translated
from multiagent_bridge.adapters.transfer.moving import move, verified
from multiagent_bridge.adapters.transfer.sqlite import SqlitePlace, sqlite_place
from multiagent_bridge.errors import Tampered
from multiagent_bridge.model.journal import Head

if TYPE_CHECKING:
    from multiagent_bridge.adapters.postgres.address import Address

BUSY_MS = 5000
INTERRUPT_SECONDS = 0.05


async def sqlite_copy(source: Path, target: Path) -> None:
    """Copy the database at `source` in one step, which holds no writer up (engine notes, section 15). Raises Unavailable."""

    def copied() -> None:
        try:
            here = apsw.Connection(str(source), flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_NOFOLLOW)
            there = apsw.Connection(str(target), flags=apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_NOFOLLOW)
            with closing(here), closing(there):
                here.set_busy_timeout(BUSY_MS)
                with there.backup("main", here, "main") as backup:
                    backup.step(-1)
                # one file, without a log beside it
                there.execute("PRAGMA journal_mode = DELETE")
        except apsw.Error as error:
            raise translated(error) from error

    await asyncio.to_thread(copied)


async def postgres_copy(address: Address, target: Path) -> None:
    """Copy the database as it stands at one instant; no writer waits. Raises Unavailable, Tampered, Invalid."""
    from multiagent_bridge.adapters.transfer.postgres import postgres_place

    async with postgres_place(address, reading=True) as source, sqlite_place(target) as place:
        await move(source, place)


async def sound(path: Path) -> Head:
    """The head of the journal in a copy whose pages and whose chain were looked at. Raises Tampered, Unavailable."""
    async with _read(path) as connection:
        problems = await _checked(connection)
        if problems != [("ok",)]:
            raise Tampered("the copy of the database is damaged", "run mab doctor")
        place = SqlitePlace(connection)
        return await verified(place, await place.tables())


async def _checked(connection: apsw.Connection) -> list[object]:
    """What is wrong with its pages. Cancelled, it ends before the connection is closed under it."""

    def looked() -> list[object]:
        return [*connection.execute("PRAGMA integrity_check(3)")]

    checking = asyncio.get_running_loop().run_in_executor(None, looked)
    try:
        return await asyncio.shield(checking)
    except asyncio.CancelledError:
        while not checking.done():
            # again: it may not have begun, and then there is nothing to end
            connection.interrupt()
            await asyncio.wait([checking], timeout=INTERRUPT_SECONDS)
        checking.exception()
        raise


@asynccontextmanager
async def _read(path: Path) -> AsyncIterator[apsw.Connection]:
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_NOFOLLOW)
        try:
            yield connection
        finally:
            connection.close(True)
    except apsw.Error as error:
        raise translated(error) from error
