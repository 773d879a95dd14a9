"""What a doctor wants to know of a database: looked at, never changed."""

from __future__ import annotations

import time
from dataclasses import dataclass

from multiagent_bridge.adapters.postgres.address import Address, connect
from multiagent_bridge.adapters.postgres.driver import pg
from multiagent_bridge.adapters.postgres.failures import LOST, translated
from multiagent_bridge.adapters.postgres.opening import MIGRATIONS, version
from multiagent_bridge.model.health import Engine

_ASKED = """
SELECT current_setting('server_version'), current_setting('fsync') = 'on' AND current_setting('full_page_writes') = 'on',
  current_setting('max_connections')::bigint - (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
  coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false), inet_server_addr() IS NULL
"""


@dataclass(frozen=True, slots=True)
class Looked:
    """`version` is the schema's, 0 where there is none yet; `known` what this program brings it to."""

    server: str
    version: int
    known: int
    durable: bool
    connections_left: int
    encrypted: bool
    local: bool
    milliseconds: float


async def look(address: Address) -> Looked:
    """One connection, asked and closed again. Raises Unavailable, also for a newer or another program's schema; Invalid."""
    connection = await connect(address, "doctor")
    try:
        began = time.perf_counter()
        server, durable, left, encrypted, local = await connection.fetchrow(_ASKED)
        took = (time.perf_counter() - began) * 1000
        return Looked(server, await version(connection), len(MIGRATIONS), durable, left, encrypted, local, took)
    except (pg.PostgresError, pg.InterfaceError, *LOST) as error:
        raise translated(error) from error
    finally:
        connection.terminate()


async def engine(address: Address) -> Engine:
    """What the server is, and how large the database. One connection, asked and closed again. Raises Unavailable, Invalid."""
    connection = await connect(address, "health")
    try:
        server, size = await connection.fetchrow(
            "SELECT current_setting('server_version'), pg_database_size(current_database())"
        )
        # a distribution adds words of its own, which may name the machine
        return Engine("PostgreSQL", str(server).partition(" ")[0], int(size))
    except (pg.PostgresError, pg.InterfaceError, *LOST) as error:
        raise translated(error) from error
    finally:
        connection.terminate()
