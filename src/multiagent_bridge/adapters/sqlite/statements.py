"""The one place where a transaction touches the driver."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import apsw

from multiagent_bridge.adapters.sqlite.chain import Chain
from multiagent_bridge.adapters.sqlite.failures import is_final, translated
from multiagent_bridge.errors import BridgeError, NotFound

Row = tuple[Any, ...]
Values = Mapping[str, Any]
Given = Values | Sequence[Any]
_DRIVERS = (apsw.Error, OverflowError, UnicodeEncodeError, MemoryError)


class Statements:
    """Statements of one transaction; refuses to run any after its end."""

    __slots__ = ("_connection", "_cursor", "chain", "failure", "live")

    def __init__(self, connection: apsw.Connection, cursor: apsw.Cursor, chain: Chain | None) -> None:
        """Without a `chain` it may only read."""
        self._connection = connection
        self._cursor = cursor
        self.chain = chain
        self.live = True
        self.failure: BridgeError | None = None
        """What made the transaction impossible to commit, even if its work swallowed the error."""

    # Spelt out in each: a send runs ten, and a call between costs as much as a third of a short statement.

    def rows(self, query: str, values: Given) -> list[Row]:
        """Run one statement and return its rows. Raises the bridge's errors in place of the driver's."""
        if not self.live:
            raise ended()
        try:
            return self._cursor.execute(query, values).fetchall()
        except _DRIVERS as error:
            raise self._failed(error) from error

    def row(self, query: str, values: Given) -> Row | None:
        """Its first row, if it has one."""
        if not self.live:
            raise ended()
        try:
            found = self._cursor.execute(query, values).fetchall()
        except _DRIVERS as error:
            raise self._failed(error) from error
        return found[0] if found else None

    def do(self, query: str, values: Given) -> None:
        """Run one statement that returns no rows: its first step is its last."""
        if not self.live:
            raise ended()
        try:
            self._cursor.execute(query, values)
        except _DRIVERS as error:
            raise self._failed(error) from error

    def change(self, query: str, values: Given) -> int:
        """Run one statement that returns no rows. Returns how many it changed."""
        if not self.live:
            raise ended()
        try:
            self._cursor.execute(query, values)
        except _DRIVERS as error:
            raise self._failed(error) from error
        return self._connection.changes()

    def change_one(self, query: str, values: Given, noun: str) -> None:
        """Run a statement that must meet its row. Raises NotFound when it is not there."""
        if not self.change(query, values):
            raise missing(noun)

    def store_chain(self) -> None:
        """Store the entries that wait for the commit, so that a query finds them."""
        if self.live and self.chain is not None:
            try:
                self.chain.store(self._cursor)
            except _DRIVERS as error:
                raise self._failed(error) from error

    def _failed(self, error: Exception) -> BaseException:
        if self.chain is None and isinstance(error, apsw.ReadOnlyError):
            return wrote_in_a_read()
        failed = translated(error)
        if is_final(error):
            self.failure = failed
        return failed


def ended() -> RuntimeError:
    return RuntimeError("the transaction has ended")


def wrote_in_a_read() -> RuntimeError:
    return RuntimeError("a read transaction tried to write")


def missing(noun: str) -> NotFound:
    return NotFound(f"no such {noun}", "mab list shows the conversations, mab show CONV their sessions")
