"""One statement on one connection."""

from __future__ import annotations

from typing import Any

from multiagent_bridge.adapters.postgres.driver import Connection
from multiagent_bridge.adapters.postgres.driving import Asked


async def run(connection: Connection, asked: Asked) -> Any:
    """Its rows as tuples, or how many rows it changed. Raises the driver's errors."""
    if asked.rows:
        return [tuple(row) for row in await connection.fetch(asked.query.text, *asked.values)]
    told = await connection.execute(asked.query.text, *asked.values)
    count = told.rpartition(" ")[2]
    return int(count) if count.isdigit() else 0
