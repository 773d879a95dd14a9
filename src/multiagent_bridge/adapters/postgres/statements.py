"""The one place where a transaction asks for a statement."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from multiagent_bridge.adapters.postgres.driving import Asked
from multiagent_bridge.adapters.postgres.ledger import Ledger
from multiagent_bridge.adapters.postgres.queries import Query
from multiagent_bridge.errors import Invalid, NotFound

Row = tuple[Any, ...]
Values = Mapping[str, Any]


class Statements:
    """Statements of one transaction; refuses to run any after its end. `ledger` is None where nothing may be written.

    PostgreSQL aborts a transaction at its first error: it is not committed even if its work swallowed that error.
    `seen` holds rows that the last statement brought along: they answer the next question, until any other statement runs.
    """

    __slots__ = ("ledger", "live", "seen")

    def __init__(self, ledger: Ledger | None) -> None:
        self.ledger = ledger
        self.live = True
        self.seen: dict[tuple[str, ...], Row] = {}

    async def rows(self, query: Query, values: Values) -> list[Row]:
        """Run one statement and return its rows. Raises the bridge's errors in place of the driver's."""
        found: list[Row] = await self._asked(query, values, rows=True)
        return found

    async def row(self, query: Query, values: Values) -> Row | None:
        found = await self.rows(query, values)
        return found[0] if found else None

    async def one(self, key: tuple[str, ...], query: Query, values: Values) -> Row | None:
        """The row of `key`: what the last statement brought along, else what the query finds."""
        if self.live and (row := self.seen.get(key)) is not None:
            return row
        return await self.row(query, values)

    async def change(self, query: Query, values: Values) -> int:
        """Run one statement and return how many rows it changed."""
        return int(await self._asked(query, values, rows=False))

    async def do(self, query: Query, values: Values) -> None:
        """Run one statement that returns no rows."""
        await self.change(query, values)

    async def change_one(self, query: Query, values: Values, noun: str) -> None:
        """Run a statement that must meet its row. Raises NotFound when it is not there."""
        if not await self.change(query, values):
            raise missing(noun)

    def written(self) -> Ledger:
        """The journal's end, to be written to. Raises RuntimeError after the end, and in a read."""
        if not self.live:
            raise RuntimeError("the transaction has ended")
        if self.ledger is None:
            raise RuntimeError("a read transaction tried to write")
        return self.ledger

    def _asked(self, query: Query, values: Values, *, rows: bool) -> Asked:
        if not self.live:
            raise RuntimeError("the transaction has ended")
        self.seen = {}
        return Asked(query, tuple(_storable(values[name]) for name in query.names), rows=rows)


def _storable(value: Any) -> Any:
    """Raises Invalid for a text that PostgreSQL cannot hold, before it aborts the transaction of others."""
    if isinstance(value, str) and "\0" in value:
        raise Invalid("a value cannot be stored", "send text without the character NUL")
    return value


def missing(noun: str) -> NotFound:
    return NotFound(f"no such {noun}", "mab list shows the conversations, mab show CONV their sessions")
