"""The writing lane: group commit under the lock of the journal's head row.

Each entry names the hash of the one before it, so writing transactions of all hubs stand in one line anyway; the head row is
that line. Locked first, it makes every write serialisable and a deadlock impossible; what waits while one batch commits is
committed together in the next, so that the line moves by batches and not by fsyncs. Nobody is answered before the COMMIT.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from multiagent_bridge.adapters.postgres.address import Address
from multiagent_bridge.adapters.postgres.driver import Connection, pg
from multiagent_bridge.adapters.postgres.driving import Asked, drive
from multiagent_bridge.adapters.postgres.failures import LOST, RACED, RETRY_SECONDS, is_lost, translated, uncertain
from multiagent_bridge.adapters.postgres.framing import LOCKED, PREPARED, beginning, ending
from multiagent_bridge.adapters.postgres.ledger import Ledger
from multiagent_bridge.adapters.postgres.opening import open_connection
from multiagent_bridge.adapters.postgres.queries import named
from multiagent_bridge.adapters.postgres.running import run
from multiagent_bridge.adapters.postgres.statements import Statements
from multiagent_bridge.adapters.postgres.tx import PostgresTx
from multiagent_bridge.errors import BridgeError, Tampered, Unavailable

BATCH = 64
"""Transactions committed together at most (engine notes, section 5)."""

ATTEMPTS = 3
"""How often a batch is run when the connection was lost before its commit, or a race was."""

PATIENCE = 15.0
"""Seconds a transaction waits for its turn before its caller is told."""

Work = Callable[[PostgresTx], Awaitable[Any]]
_SQL = named("journal")


class Job:
    """One transaction on its way: waiting, then begun (it runs to its end) or given up (it never runs)."""

    __slots__ = ("begun", "error", "future", "result", "work")

    def __init__(self, work: Work, future: asyncio.Future[Any]) -> None:
        self.work = work
        self.future = future
        self.begun = False
        self.result: object = None
        self.error: BaseException | None = None

    def give_up(self, seconds: float) -> None:
        if not self.begun and not self.future.done():
            self.begun = True
            self.future.set_exception(
                Unavailable(
                    f"the database had no turn for this within {seconds:g} s",
                    "wait a moment, then repeat the call",
                    retry_after=RETRY_SECONDS,
                )
            )

    def answer(self) -> None:
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)


class WriteLane:
    """Owns the writing connection. `foreign` is set whenever another hub moved the journal's head."""

    def __init__(self, address: Address, patience: float = PATIENCE) -> None:
        self._address = address
        self._patience = patience
        self._queue: deque[Job] = deque()
        self._wake = asyncio.Event()
        self._connection: Connection | None = None
        self._serving: asyncio.Task[None] | None = None
        self._ending = False
        self.head: str | None = None
        """The head's text after this hub's last commit; None before the first."""
        self.foreign = False

    async def open(self) -> None:
        await self._connected()
        self._serving = asyncio.create_task(self._serve())

    async def transact(self, work: Work) -> Any:
        """Run a transaction. Cancelling the caller does not stop it: its result is then dropped."""
        if self._ending or self._serving is None:
            raise Unavailable("the store is closed", "start the hub again")
        loop = asyncio.get_running_loop()
        job = Job(work, loop.create_future())
        self._queue.append(job)
        self._wake.set()
        timer = loop.call_later(self._patience, job.give_up, self._patience)
        try:
            return await job.future
        finally:
            timer.cancel()

    async def close(self) -> None:
        """Serve what was submitted, then close the connection."""
        if self._ending:
            return
        self._ending = True
        self._wake.set()
        if self._serving is not None:
            await asyncio.wait([self._serving], timeout=2 * self._patience)
            self._serving.cancel()
            with suppress(asyncio.CancelledError):
                await self._serving
        self._drop()

    async def _serve(self) -> None:
        while True:
            while not self._queue:
                if self._ending:
                    return
                self._wake.clear()
                await self._wake.wait()
            jobs: list[Job] = []
            self._drain(jobs)
            if not jobs:
                continue
            try:
                await self._batch(jobs)
            except BaseException as error:
                # a batch without an answer would hang its callers
                self._drop()
                for job in jobs:
                    job.error = job.error or _again(error)
                if not isinstance(error, Exception):
                    raise
            finally:
                for job in jobs:
                    job.answer()

    async def _batch(self, jobs: list[Job]) -> None:
        """Run `jobs` and what else waits; a transaction that was not committed for sure is run again."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                await self._commit(jobs)
            except (pg.PostgresError, pg.InterfaceError, *LOST) as error:
                if is_lost(error):
                    self._drop()
                if attempt == ATTEMPTS or not (is_lost(error) or isinstance(error, RACED)):
                    raise translated(error) from error
            else:
                return

    async def _commit(self, jobs: list[Job]) -> None:
        for job in jobs:
            job.result = job.error = None
        batch = _Batch(await self._connected(), self.head)
        try:
            served = 0
            while served < len(jobs):
                await batch.run(jobs[served])
                served += 1
                # who came meanwhile is committed with them
                self._drain(jobs)
            text = batch.ending()
        except BaseException as error:
            await self._undo(batch, error)
            raise
        if batch.ledger is not None:
            self.foreign = self.foreign or (self.head is not None and batch.ledger.text != self.head)
            await self._end(batch, text, jobs)

    async def _end(self, batch: _Batch, text: str, jobs: list[Job]) -> None:
        """COMMIT. Of a connection that was lost here the journal may tell what became; else nobody may be told either."""
        assert batch.ledger is not None
        try:
            await batch.commit(text)
        except BaseException as error:
            self._drop()
            if isinstance(error, (pg.PostgresError, Tampered)) and not is_lost(error):
                # the server refused it: nothing of it is there
                raise
            done = await self._done(batch.ledger) if isinstance(error, Exception) else None
            if done is False:
                raise
            if done is None:
                for job in jobs:
                    job.error = job.error or uncertain(error)
            if not isinstance(error, Exception):
                raise
            if done is None:
                return
        self.head = batch.ledger.committed()

    async def _done(self, ledger: Ledger) -> bool | None:
        """Whether a batch was committed whose answer never came; None where that cannot be told now.

        Its last entry names all before it by their hash, so that line stands in its place only if this very batch was
        committed. The lock is had only once the server is through with the lost connection.
        """
        last = ledger.last
        if last is None:
            return None
        try:
            connection = await self._connected()
            async with connection.transaction():
                await connection.fetchval(_SQL["lock"].text)
                return bool(await connection.fetchval(_SQL["line"].text, last.seq) == last.line)
        except (pg.PostgresError, pg.InterfaceError, BridgeError, *LOST):
            self._drop()
            return None

    async def _undo(self, batch: _Batch, error: BaseException) -> None:
        """Leave the connection without a transaction, or leave it altogether."""
        if is_lost(error) or not isinstance(error, Exception):
            self._drop()
            return
        try:
            await batch.rollback()
        except Exception:
            self._drop()

    async def _connected(self) -> Connection:
        if self._connection is None or self._connection.is_closed():
            self._drop()
            connection = await open_connection(self._address, "writer")
            try:
                await connection.execute(PREPARED)
            except BaseException as error:
                connection.terminate()
                if isinstance(error, (pg.PostgresError, pg.InterfaceError, *LOST)):
                    raise translated(error) from error
                raise
            self._connection = connection
        return self._connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    def _drain(self, jobs: list[Job]) -> None:
        """Append the transactions that wait to `jobs`, up to a full batch."""
        while self._queue and len(jobs) < BATCH:
            job = self._queue.popleft()
            if not job.begun:
                job.begun = True
                jobs.append(job)


class _Batch:
    """One transaction of the database, in which the transactions of many callers run one after the other."""

    def __init__(self, connection: Connection, known: str | None) -> None:
        self.connection = connection
        self.ledger: Ledger | None = None
        self._known = known
        self._kept = False
        self._saved = False

    async def run(self, job: Job) -> None:
        """Run one. The first needs no savepoint: when it fails, nothing else is undone with it.

        Raises only what concerns the whole batch.
        """
        if self.ledger is None:
            await self._begin()
        assert self.ledger is not None
        statements, mark = Statements(self.ledger), self.ledger.mark()
        used = False
        failure: BaseException | None = None

        async def settled(tx: PostgresTx) -> Any:
            result = await job.work(tx)
            await statements.settle()
            return result

        async def answer(asked: Asked) -> Any:
            nonlocal used, failure
            first, used = not used, True
            try:
                if first and self._kept:
                    await self._save()
                return await run(self.connection, asked)
            except (pg.PostgresError, pg.InterfaceError, OverflowError, UnicodeEncodeError, *LOST) as error:
                failure = error
                raise translated(error) from error

        try:
            job.result = await drive(settled, PostgresTx(statements), answer)
            if failure is not None:
                raise translated(failure) from failure
            self._kept = True
        except BaseException as error:
            if failure is not None and (is_lost(failure) or isinstance(failure, RACED)):
                raise failure from None
            if _ends(error):
                raise
            job.error = error
            self.ledger.back(mark)
            await self._back(used)
        finally:
            statements.live = False

    def ending(self) -> str:
        """COMMIT, with the entries that are not written yet."""
        unstored = self.ledger.unstored() if self.ledger is not None else None
        return "COMMIT" if unstored is None else ending(unstored)

    async def commit(self, text: str) -> None:
        """Send what ends it. Raises Tampered when the head is older than the entries."""
        try:
            await self.connection.execute(text)
        except pg.UniqueViolationError as error:
            raise Tampered(
                "the head of the journal stands before its entries", "verify them: mab audit --verify"
            ) from error

    async def rollback(self) -> None:
        self.ledger = None
        await self.connection.execute("ROLLBACK")

    async def _begin(self) -> None:
        """BEGIN, and the lock. The head is fetched only where another hub moved it: each round trip counts."""
        known = self._known
        if await self.connection.execute(beginning(known)) == LOCKED and known is not None:
            self.ledger = Ledger(known)
            return
        text = await self.connection.fetchval(_SQL["lock"].text)
        if text is None:
            raise Tampered("the head of the journal is gone", "verify the entries: mab audit --verify")
        self.ledger = Ledger(text)

    async def _save(self) -> None:
        """What comes next can be undone without what was kept so far."""
        await self.connection.execute("RELEASE SAVEPOINT one; SAVEPOINT one" if self._saved else "SAVEPOINT one")
        self._saved = True

    async def _back(self, used: bool) -> None:
        """Undo the statements of the one that failed, and nothing else."""
        if not used:
            return
        if self._kept:
            await self.connection.execute("ROLLBACK TO SAVEPOINT one")
        else:
            await self.rollback()


def _ends(error: BaseException) -> bool:
    """Whether it is the lane that is to end, and not a transaction that raised something odd."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0


def _again(error: BaseException) -> BaseException:
    """What each caller is told about an error that concerns a whole batch: an instance of their own."""
    if isinstance(error, BridgeError):
        copy = type(error)(error.sentence, error.hint, **error.facts)
        copy.__cause__ = error.__cause__
        return copy
    if isinstance(error, Exception):
        return translated(error)
    return Unavailable("the store was closed meanwhile", "start the hub again", retry_after=RETRY_SECONDS)
