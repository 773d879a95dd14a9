"""A SQLite file as a place to move from or into. Its lock is held: who writes waits, or is told that it is locked."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path

import apsw

from multiagent_bridge.adapters.sqlite.failures import translated
from multiagent_bridge.adapters.sqlite.files import DatabaseFiles, FileLock
from multiagent_bridge.adapters.sqlite.opening import open_writer
from multiagent_bridge.adapters.transfer.places import CHUNK, Columns, Row

BUSY_MS = 5000

_SHARED = {"only": "one"}
"""Names of columns that PostgreSQL reserves."""


class SqlitePlace:
    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    async def tables(self) -> Columns:
        found = self._connection.execute(
            "SELECT t.name, c.name FROM sqlite_schema AS t, pragma_table_info(t.name) AS c"
            " WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' ORDER BY t.name, c.cid"
        )
        tables: dict[str, tuple[str, ...]] = {}
        for table, column in found:
            tables[table] = (*tables.get(table, ()), _SHARED.get(column, column))
        return tables

    async def rows(self, table: str, columns: Sequence[str]) -> AsyncGenerator[list[Row], None]:
        order = ", ".join(str(n + 1) for n in range(min(3, len(columns))))
        cursor = self._connection.execute(f"SELECT {_named(columns)} FROM {table} ORDER BY {order}")  # noqa: S608
        while rows := list(islice(cursor, CHUNK)):
            yield rows

    async def add(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        marks = ", ".join("?" * len(columns))
        self._connection.executemany(f"INSERT INTO {table} ({_named(columns)}) VALUES ({marks})", rows)  # noqa: S608

    async def commit(self) -> None:
        self._connection.execute("COMMIT")


@asynccontextmanager
async def sqlite_place(path: Path) -> AsyncIterator[SqlitePlace]:
    """The database at `path`, made if it is not there, within one transaction. Raises Unavailable, Tampered, Conflict."""
    files = DatabaseFiles(path)
    files.prepare_directory()
    lock = FileLock(files)
    lock.acquire()
    try:
        connection = open_writer(files, BUSY_MS, None, create=True)
        try:
            connection.execute("BEGIN IMMEDIATE")
            yield SqlitePlace(connection)
        except apsw.Error as error:
            raise translated(error) from error
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            connection.close(True)
    finally:
        lock.release()
        lock.close()


def _named(columns: Sequence[str]) -> str:
    theirs = {shared: name for name, shared in _SHARED.items()}
    return ", ".join(f'"{theirs.get(column, column)}"' for column in columns)
