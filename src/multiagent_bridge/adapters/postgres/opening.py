"""The schema: brought up to date by whichever hub comes first, refused when it is newer or another program's."""

from __future__ import annotations

from multiagent_bridge.adapters.postgres.address import SCHEMA, Address, connect
from multiagent_bridge.adapters.postgres.driver import Connection, pg
from multiagent_bridge.adapters.postgres.failures import LOST, translated
from multiagent_bridge.adapters.postgres.queries import migrations
from multiagent_bridge.errors import Unavailable

MIGRATIONS = migrations()

LEAST_SERVER = 13
"""Oldest PostgreSQL that is known to work; older ones are out of support."""

_LOCK = 0x4D414252
"""`MABR`: the advisory lock under which the schema changes."""

LOCK_SECONDS, STEP_SECONDS = 60, 600
"""How long a hub waits for another one that changes the schema, and how long one step may take."""

_NETWORK_SECONDS = 5.0
"""The server ends a wait; the client only where no word of the server's arrives."""

_FOUND = f"""
SELECT to_regclass('{SCHEMA}.schema_version') IS NOT NULL,
  (SELECT count(*) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = '{SCHEMA}'),
  to_regnamespace('{SCHEMA}') IS NOT NULL, current_setting('server_encoding')
"""  # noqa: S608 - the name is a constant


async def open_connection(address: Address, name: str) -> Connection:
    """A connection to a database of this version, migrated if need be. Raises Unavailable, Tampered, Invalid."""
    connection = await connect(address, name)
    try:
        if connection.get_server_version().major < LEAST_SERVER:
            raise Unavailable(
                f"the server is PostgreSQL {connection.get_server_version().major}",
                f"use version {LEAST_SERVER} or later",
            )
        if await version(connection) != len(MIGRATIONS):
            await _migrate(connection)
        # a server that answers before it is durable would lose what was acknowledged
        await connection.execute(
            "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
        )
    except BaseException as error:
        connection.terminate()
        if isinstance(error, (pg.PostgresError, pg.InterfaceError, *LOST)):
            raise translated(error) from error
        raise
    return connection


async def version(connection: Connection) -> int:
    """The schema's version, 0 where there is none. Raises Unavailable when a newer or another program made it."""
    ours, tables, _, encoding = await connection.fetchrow(_FOUND) or (False, 0, False, "")
    if encoding != "UTF8":
        raise Unavailable(
            f"the database stores text as {encoding}, not as UTF8",
            "make one: createdb --encoding=UTF8 -T template0 NAME",
        )
    if not ours:
        if tables:
            raise Unavailable(
                f"the schema {SCHEMA} of this database belongs to another program",
                "name another database in the store URL",
            )
        return 0
    found = int(await connection.fetchval(f"SELECT version FROM {SCHEMA}.schema_version"))  # noqa: S608
    if found > len(MIGRATIONS):
        raise Unavailable(
            f"the database is of a newer version ({found}) than this program knows ({len(MIGRATIONS)})",
            "upgrade the program",
        )
    return found


async def _migrate(connection: Connection) -> None:
    """Apply the missing steps in one transaction: all of them or none. Of hubs that start together one does it."""
    async with connection.transaction():
        limits = f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'; SET LOCAL statement_timeout = '{STEP_SECONDS}s'"
        await connection.execute(limits)
        # the connection's own limit is one for the statements of calls
        waiting = LOCK_SECONDS + _NETWORK_SECONDS
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK, timeout=waiting)
        found = await version(connection)
        if found == 0 and not await connection.fetchval(
            "SELECT to_regclass($1) IS NOT NULL", f"{SCHEMA}.schema_version"
        ):
            if not await connection.fetchval("SELECT to_regnamespace($1) IS NOT NULL", SCHEMA):
                await connection.execute(f"CREATE SCHEMA {SCHEMA}")
            await connection.execute(
                f"CREATE TABLE {SCHEMA}.schema_version (one BIGINT PRIMARY KEY CHECK (one = 1), version BIGINT NOT NULL)"
            )
            await connection.execute(f"INSERT INTO {SCHEMA}.schema_version VALUES (1, 0)")  # noqa: S608
        if found:
            # an older hub may still write: it waits, and cannot meet the changes of two tables in the wrong order
            await connection.execute(f"SELECT head FROM {SCHEMA}.journal_head FOR UPDATE", timeout=waiting)  # noqa: S608
        for number in range(found + 1, len(MIGRATIONS) + 1):
            await connection.execute(MIGRATIONS[number - 1], timeout=STEP_SECONDS + _NETWORK_SECONDS)
            await connection.execute(f"UPDATE {SCHEMA}.schema_version SET version = $1", number)  # noqa: S608
