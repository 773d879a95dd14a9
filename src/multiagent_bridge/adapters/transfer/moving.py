"""A whole store moved into an empty one, and compared before anything is committed."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass

from multiagent_bridge.adapters.transfer.places import HEAD, JOURNAL, PARENTS, Columns, Place
from multiagent_bridge.errors import Conflict, Invalid, Tampered, Unavailable
from multiagent_bridge.model.journal import Head, Verifier


@dataclass(frozen=True, slots=True)
class Moved:
    """Rows of each table, and the head of the journal, which is the source's to the byte."""

    rows: Mapping[str, int]
    head: Head


async def move(source: Place, target: Place) -> Moved:
    """Copy every row, read the copy back, compare, and commit.

    Raises Conflict for a target that holds anything, Unavailable when the two are of different versions, Tampered when the
    journal of the copy does not verify or differs. Then the target is as empty as before.
    """
    tables = await source.tables()
    if await target.tables() != tables:
        raise Unavailable("the two stores are of different versions", "open both with this program once: mab status")
    for table, columns in tables.items():
        async with aclosing(target.rows(table, columns)) as found:
            async for _ in found:
                raise Conflict("the target store is not empty", "name an empty one; nothing is ever overwritten")
    given = {}
    for table in _ordered(tables):
        columns, sum_of = tables[table], _Sum()
        async for rows in source.rows(table, columns):
            await asyncio.to_thread(sum_of.add, rows)
            await target.add(table, columns, rows)
        given[table] = sum_of
    for table, columns in tables.items():
        copied = _Sum()
        async for rows in target.rows(table, columns):
            await asyncio.to_thread(copied.add, rows)
        if copied != given[table]:
            raise Tampered(f"the copy of {table} differs from its source", "nothing was moved; repeat the command")
    head = await verified(target, tables)
    await target.commit()
    return Moved({table: sum_of.count for table, sum_of in sorted(given.items())}, head)


class _Sum:
    """How many rows there were, and a digest over all of them in order."""

    def __init__(self) -> None:
        self.count = 0
        self._digest = hashlib.sha256()

    def add(self, rows: list[tuple[object, ...]]) -> None:
        self.count += len(rows)
        for row in rows:
            self._digest.update(repr(row).encode("utf-8", "surrogatepass") + b"\n")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Sum) and (self.count, self._digest.digest()) == (other.count, other._digest.digest())

    __hash__ = None  # type: ignore[assignment]


def _ordered(tables: Columns) -> list[str]:
    return [*(t for t in PARENTS if t in tables), *(t for t in sorted(tables) if t not in PARENTS)]


async def verified(place: Place, tables: Columns) -> Head:
    """The head that the lines of the copy lead to. Raises Tampered when it is not the stored one, or a link is wrong."""
    stored = Head.EMPTY
    async for rows in place.rows(HEAD, tables[HEAD]):
        stored = Head.from_text(rows[0][tables[HEAD].index("head")])
    verifier, line = Verifier(), tables[JOURNAL].index("line")
    async for rows in place.rows(JOURNAL, tables[JOURNAL]):
        # a hub that makes a backup has agents to serve meanwhile
        await asyncio.to_thread(_fed, verifier, [row[line] for row in rows])
    return verifier.finish(stored)


def _fed(verifier: Verifier, lines: list[str]) -> None:
    for line in lines:
        try:
            verifier.feed(line)
        except Invalid as error:
            raise Tampered("a line of the journal cannot be read", "mab audit --verify") from error
