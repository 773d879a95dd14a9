"""A PostgreSQL database as a place to move from or into. The journal's head is locked: hubs that write wait meanwhile."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager

from multiagent_bridge.adapters.postgres.address import SCHEMA, Address
from multiagent_bridge.adapters.postgres.driver import Connection, pg
from multiagent_bridge.adapters.postgres.failures import LOST, translated, uncertain
from multiagent_bridge.adapters.postgres.opening import open_connection
from multiagent_bridge.adapters.transfer.places import CHUNK, HEAD, Columns, Row

_COLUMNS = f"""
SELECT c.table_name, c.column_name FROM information_schema.columns AS c
WHERE c.table_schema = '{SCHEMA}' AND c.table_name <> 'schema_version' ORDER BY c.table_name COLLATE "C", c.ordinal_position
"""  # noqa: S608 - the name is a constant


class PostgresPlace:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def tables(self) -> Columns:
        tables: dict[str, tuple[str, ...]] = {}
        for table, column in await self._connection.fetch(_COLUMNS):
            tables[table] = (*tables.get(table, ()), column)
        return tables

    async def rows(self, table: str, columns: Sequence[str]) -> AsyncGenerator[list[Row], None]:
        order = ", ".join(str(n + 1) for n in range(min(3, len(columns))))
        # the row that is locked is there before the first entry
        begun = "WHERE head <> ''" if table == HEAD else ""
        query = f"SELECT {_named(columns)} FROM {SCHEMA}.{table} {begun} ORDER BY {order}"  # noqa: S608
        await self._connection.execute(f'DECLARE "moving {table}" NO SCROLL CURSOR FOR {query}')
        try:
            while found := await self._connection.fetch(f'FETCH {CHUNK} FROM "moving {table}"'):
                yield [tuple(row) for row in found]
        finally:
            await self._connection.execute(f'CLOSE "moving {table}"')

    async def add(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        if table == HEAD:
            await self._connection.execute(f"DELETE FROM {SCHEMA}.{HEAD}")  # noqa: S608
        await self._connection.copy_records_to_table(table, records=rows, columns=columns, schema_name=SCHEMA)

    async def commit(self) -> None:
        for table, columns in (await self.tables()).items():
            if columns[0] == "seq" and await self._connection.fetchval(
                "SELECT pg_get_serial_sequence($1, 'seq')", f"{SCHEMA}.{table}"
            ):
                # what is added from now on comes after what was moved
                await self._connection.execute(
                    f"SELECT setval(pg_get_serial_sequence('{SCHEMA}.{table}', 'seq'), max(seq))"  # noqa: S608
                    f" FROM {SCHEMA}.{table} HAVING max(seq) IS NOT NULL"
                )
        try:
            await self._connection.execute("COMMIT")
        except (pg.PostgresError, pg.InterfaceError, *LOST) as error:
            raise uncertain(error) from error


@asynccontextmanager
async def postgres_place(address: Address, *, reading: bool = False) -> AsyncIterator[PostgresPlace]:
    """The database, its schema made if it is not there, within one transaction; `reading`: as it stood when that began, and
    nobody waits. Raises Unavailable, Tampered, Invalid.
    """
    connection = await open_connection(address, "move")
    try:
        await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" if reading else "BEGIN")
        await connection.execute("SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0")
        if not reading:
            await connection.execute(f"SELECT head FROM {SCHEMA}.{HEAD} FOR UPDATE")  # noqa: S608
        yield PostgresPlace(connection)
    except (pg.PostgresError, pg.InterfaceError, *LOST) as error:
        raise translated(error) from error
    finally:
        # without COMMIT nothing of it is there
        connection.terminate()


def _named(columns: Sequence[str]) -> str:
    return ", ".join(f'"{column}"' for column in columns)
