"""The one place where a transaction touches the driver."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import apsw

from multiagent_bridge.adapters.sqlite.failures import is_final, translated
from multiagent_bridge.errors import BridgeError, NotFound

Row = tuple[Any, ...]
Values = Mapping[str, Any]


class Statements:
    """Statements of one transaction; refuses to run any after its end."""

    __slots__ = ("_connection", "_cursor", "_reading", "failure", "live")

    def __init__(self, connection: apsw.Connection, cursor: apsw.Cursor, *, reading: bool = False) -> None:
        self._connection = connection
        self._cursor = cursor
        self._reading = reading
        self.live = True
        self.failure: BridgeError | None = None
        """What made the transaction impossible to commit, even if its work swallowed the error."""

    def rows(self, query: str, values: Values) -> list[Row]:
        """Run one statement and return its rows. Raises the bridge's errors in place of the driver's."""
        if not self.live:
            raise RuntimeError("the transaction has ended")
        try:
            return self._cursor.execute(query, values).fetchall()
        except (apsw.Error, OverflowError, UnicodeEncodeError, MemoryError) as error:
            raise self._failed(error) from error

    def do(self, query: str, values: Values) -> None:
        """Run one statement that returns no rows: its first step is its last."""
        if not self.live:
            raise RuntimeError("the transaction has ended")
        try:
            self._cursor.execute(query, values)
        except (apsw.Error, OverflowError, UnicodeEncodeError, MemoryError) as error:
            raise self._failed(error) from error

    def row(self, query: str, values: Values) -> Row | None:
        found = self.rows(query, values)
        return found[0] if found else None

    def change(self, query: str, values: Values) -> int:
        """Run one statement and return how many rows it changed."""
        self.do(query, values)
        return self._connection.changes()

    def change_one(self, query: str, values: Values, noun: str) -> None:
        """Run a statement that must meet its row. Raises NotFound when it is not there."""
        if not self.change(query, values):
            raise missing(noun)

    def _failed(self, error: Exception) -> BaseException:
        if self._reading and isinstance(error, apsw.ReadOnlyError):
            return RuntimeError("a read transaction tried to write")
        failed = translated(error)
        if is_final(error):
            self.failure = failed
        return failed


def missing(noun: str) -> NotFound:
    return NotFound(f"no such {noun}", "mab list shows the conversations, mab show CONV their sessions")
