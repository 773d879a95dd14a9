"""The one place where a transaction asks for a statement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from multiagent_bridge.adapters.postgres.driving import Asked
from multiagent_bridge.adapters.postgres.failures import RETRY_SECONDS
from multiagent_bridge.adapters.postgres.ledger import Ledger
from multiagent_bridge.adapters.postgres.queries import Query
from multiagent_bridge.errors import Invalid, NotFound, Unavailable

Row = tuple[Any, ...]
Values = Mapping[str, Any]
Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Late:
    """A change of one row that nobody waits for: it is made before any statement that could tell, or by one with others."""

    query: Query
    values: Values


class Statements:
    """Statements of one transaction; refuses to run any after its end. `ledger` is None where nothing may be written.

    PostgreSQL aborts a transaction at its first error: it is not committed even if its work swallowed that error.
    `seen` holds rows of conversations and sessions that a statement brought along. They answer what is asked next until
    anything is changed: nobody else writes meanwhile, since the head of the journal is locked.
    """

    __slots__ = ("late", "ledger", "live", "seen")

    def __init__(self, ledger: Ledger | None) -> None:
        self.ledger = ledger
        self.live = True
        self.late: list[Late] = []
        self.seen: dict[Key, Sequence[Row]] = {}

    async def rows(self, query: Query, values: Values, *, beside: bool = False) -> list[Row]:
        """Run one statement and return its rows. Raises the bridge's errors in place of the driver's.

        One that runs `beside` neither reads nor changes a conversation or a session.
        """
        if not beside:
            await self.settle()
            if not query.text.startswith("SELECT"):
                self.seen = {}
        found: list[Row] = await self._asked(query, values, rows=True)
        return found

    async def row(self, query: Query, values: Values, *, beside: bool = False) -> Row | None:
        found = await self.rows(query, values, beside=beside)
        return found[0] if found else None

    async def one(self, key: Key, query: Query, values: Values) -> Row | None:
        """The row of `key`: what a statement brought along, else what the query finds."""
        found = await self.all(key, query, values)
        return found[0] if found else None

    async def all(self, key: Key, query: Query, values: Values) -> Sequence[Row]:
        """The rows of `key`: what a statement brought along, else what the query finds."""
        if self.live and (rows := self.seen.get(key)) is not None:
            return rows
        return await self.rows(query, values)

    async def change(self, query: Query, values: Values) -> int:
        """Run one statement and return how many rows it changed."""
        await self.settle()
        self.seen = {}
        return int(await self._asked(query, values, rows=False))

    def known(self, key: Key) -> Row | None:
        """The row of `key` if it was seen and may be changed now: what is done to it can be told without asking."""
        rows = self.seen.get(key) if self.live and self.ledger is not None else None
        return rows[0] if rows else None

    def put_off(self, late: Late, key: Key) -> None:
        """Leave a change of the row of `key`, which is `known`, until anything asks about it."""
        self.late.append(late)
        self.seen = {one: rows for one, rows in self.seen.items() if one[:2] != key[:2]}

    async def settle(self) -> None:
        """Make the changes that were put off. Raises Unavailable where a row is not what it was when it was seen."""
        while self.late:
            late = self.late.pop(0)
            self.seen = {}
            if not int(await self._asked(late.query, late.values, rows=False)):
                raise moved()

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
        return Asked(query, tuple(_storable(values[name]) for name in query.names), rows=rows)


def _storable(value: Any) -> Any:
    """Raises Invalid for a text that PostgreSQL cannot hold, before it aborts the transaction of others."""
    if isinstance(value, str) and "\0" in value:
        raise Invalid("a value cannot be stored", "send text without the character NUL")
    return value


def moved() -> Unavailable:
    """Somebody writes to the database who does not lock the journal's head first."""
    return Unavailable("the conversation was changed meanwhile", "repeat the call", retry_after=RETRY_SECONDS)


def missing(noun: str) -> NotFound:
    return NotFound(f"no such {noun}", "mab list shows the conversations, mab show CONV their sessions")
