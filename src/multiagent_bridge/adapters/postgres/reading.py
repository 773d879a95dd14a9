"""Reads: snapshots on a bounded pool of connections, which never wait for a writer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from multiagent_bridge.adapters.postgres.address import Address, connect
from multiagent_bridge.adapters.postgres.driver import Connection, pg
from multiagent_bridge.adapters.postgres.driving import Asked, drive
from multiagent_bridge.adapters.postgres.failures import LOST, RETRY_SECONDS, is_lost, translated
from multiagent_bridge.adapters.postgres.running import run
from multiagent_bridge.adapters.postgres.statements import Statements
from multiagent_bridge.adapters.postgres.tx import PostgresTx
from multiagent_bridge.errors import Unavailable

Work = Callable[[PostgresTx], Awaitable[Any]]
_BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


class ReadPool:
    """At most `size` connections, made when they are needed and kept. Who waits longer than the patience is told."""

    def __init__(self, address: Address, size: int) -> None:
        self._address = address
        self._free = asyncio.Semaphore(size)
        self._idle: list[Connection] = []
        self._running: set[asyncio.Task[Any]] = set()
        self._ending = False

    async def transact(self, work: Work) -> Any:
        """Run a read. Cancelling the caller does not stop it: its result is then dropped."""
        if self._ending:
            raise Unavailable("the store is closed", "start the hub again")
        task = asyncio.create_task(self._served(work))
        self._running.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    async def close(self) -> None:
        self._ending = True
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=self._address.statement_seconds)
            for task in late:
                task.cancel()
        self._drop()

    def _drop(self) -> None:
        while self._idle:
            self._idle.pop().terminate()

    async def _served(self, work: Work) -> Any:
        try:
            async with asyncio.timeout(self._address.acquire_seconds):
                await self._free.acquire()
        except TimeoutError as error:
            raise Unavailable(
                f"no connection to the database was free within {self._address.acquire_seconds:g} s",
                "wait a moment, then repeat the call; or raise postgres.pool_size",
                retry_after=RETRY_SECONDS,
            ) from error
        try:
            return await self._read(work)
        finally:
            self._free.release()

    async def _read(self, work: Work) -> Any:
        """One read; once more on another connection when one that was kept turned out to be gone."""
        while True:
            kept = self._kept()
            snapshot = _Snapshot(kept or await connect(self._address, "reader"))
            try:
                return await snapshot.run(work)
            except Exception:
                if kept is None or not snapshot.lost:
                    raise
                # a wire that died took the others with it, and each would be waited for in full
                self._drop()
            finally:
                if await snapshot.ended() and not self._ending:
                    self._idle.append(snapshot.connection)
                else:
                    snapshot.connection.terminate()

    def _kept(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
        return None

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            # its caller may have gone
            task.exception()


class _Snapshot:
    """One read transaction on one connection."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.lost = False
        self._open = False

    async def run(self, work: Work) -> Any:
        statements = Statements(None)
        failure: BaseException | None = None

        async def answer(asked: Asked) -> Any:
            nonlocal failure
            try:
                return await self._told(run(self.connection, asked))
            except Exception as error:
                failure = failure or error
                raise

        await self._told(self.connection.execute(_BEGIN))
        self._open = True
        try:
            result = await drive(work, PostgresTx(statements), answer)
        finally:
            statements.live = False
        if failure is not None:
            # its work swallowed the error, and what it saw after that is nothing
            raise failure
        await self._told(self.connection.execute("COMMIT"))
        self._open = False
        return result

    async def ended(self) -> bool:
        """Leave no transaction behind. Returns whether the connection may be used again."""
        if self.lost or self.connection.is_closed():
            return False
        if self._open:
            try:
                await self.connection.execute("ROLLBACK")
            except (pg.PostgresError, pg.InterfaceError, *LOST):
                # what its work ended with is what its caller is told
                return False
            except BaseException:
                self.connection.terminate()
                raise
        return True

    async def _told(self, asking: Awaitable[Any]) -> Any:
        """The answer to a statement. Raises the bridge's errors in place of the driver's."""
        try:
            return await asking
        except pg.ReadOnlySQLTransactionError as error:
            raise RuntimeError("a read transaction tried to write") from error
        except (pg.PostgresError, pg.InterfaceError, OverflowError, UnicodeEncodeError, *LOST) as error:
            self.lost = self.lost or is_lost(error)
            raise translated(error) from error
