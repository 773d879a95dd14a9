"""What a store must offer to be moved from or into: its tables as they lie there."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Protocol

Row = tuple[Any, ...]
Columns = Mapping[str, tuple[str, ...]]

CHUNK = 500
"""Rows held in memory at a time."""

HEAD = "journal_head"
JOURNAL = "journal"

PARENTS = ("conversations", "sessions", "tasks")
"""Filled first, in this order: other tables refer to them."""


class Place(Protocol):
    """One store within one transaction, which nobody else writes to meanwhile."""

    async def tables(self) -> Columns:
        """Every table with its columns in order, under the names that both dialects share."""
        ...

    def rows(self, table: str, columns: Sequence[str]) -> AsyncGenerator[list[Row], None]:
        """All rows by their first columns, at most CHUNK at a time; bytes, text, integers and None."""
        ...

    async def add(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None: ...

    async def commit(self) -> None:
        """Make what was added durable; without it nothing is left behind."""
        ...
