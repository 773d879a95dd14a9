"""The shared store: one PostgreSQL database for several hubs on several machines."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import TypeVar, cast

from multiagent_bridge.adapters.postgres.address import Address
from multiagent_bridge.adapters.postgres.reading import ReadPool
from multiagent_bridge.adapters.postgres.writing import PATIENCE, WriteLane
from multiagent_bridge.errors import BridgeError
from multiagent_bridge.ports import Tx

T = TypeVar("T")


class PostgresStore:
    """`ports.Store` over the database at `address`; `async with PostgresStore(address) as store`.

    One writing connection, and reading ones up to `address.pool_size` together with it. It belongs to the event loop in which
    it was opened. A caller cancelled while it waits does not stop its transaction: that runs to its end, and its result is
    dropped. A database that went away is connected to again by the next transaction.
    """

    def __init__(self, address: Address, *, patience: float = PATIENCE) -> None:
        self._writer = WriteLane(address, patience)
        self._readers = ReadPool(address, max(1, address.pool_size - 1))
        self._seen: str | None = None

    async def open(self) -> None:
        """Connect, and bring the schema up to date. Once per instance. Raises Unavailable, Tampered, Invalid."""
        await self._writer.open()

    async def write(self, work: Callable[[Tx], Awaitable[T]], *, brief: bool = False) -> T:
        return cast(T, await self._writer.transact(work))

    async def read(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        return cast(T, await self._readers.transact(work))

    async def changed_elsewhere(self) -> bool:
        """Whether another hub moved the journal since the last call, or may have: the bell's backstop."""
        try:
            head = (await self.read(lambda tx: tx.journal.head())).to_text()
        except BridgeError:
            return True
        before, self._seen = self._seen, head
        foreign, self._writer.foreign = self._writer.foreign, False
        return foreign or (head != before and head != self._writer.head)

    async def close(self) -> None:
        """Finish what was submitted, then close. Nothing more may be submitted."""
        await self._readers.close()
        await self._writer.close()

    async def __aenter__(self) -> PostgresStore:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
