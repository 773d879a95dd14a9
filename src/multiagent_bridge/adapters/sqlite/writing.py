"""The writing lane: group commit under the file lock.

`synchronous=FULL` makes every commit an fsync; what waits while one runs is committed together in the next: ten times the
throughput with 50 callers (engine notes, section 5). Nobody is answered before the COMMIT.
"""

from __future__ import annotations

import apsw

from multiagent_bridge.adapters.driving import drive
from multiagent_bridge.adapters.sqlite.chain import Chain
from multiagent_bridge.adapters.sqlite.failures import translated
from multiagent_bridge.adapters.sqlite.files import DatabaseFiles, FileLock, Identity
from multiagent_bridge.adapters.sqlite.lanes import Job, Lane, failed
from multiagent_bridge.adapters.sqlite.opening import abandon, open_writer, reserve_log
from multiagent_bridge.adapters.sqlite.statements import Statements
from multiagent_bridge.adapters.sqlite.tx import SqliteTx
from multiagent_bridge.errors import BridgeError, Unavailable

FOLD_PAGES = 1000
"""Pages of the log after which it is folded into the database, between batches and under the file lock."""

WARY = 64
"""Batches with a savepoint for each transaction after one had to be run twice: a savepoint costs less than that."""

_KEEPS_CONNECTION = (apsw.BusyError, apsw.LockedError, apsw.FullError, apsw.NoMemError, apsw.ConstraintError)


class _Undone(Exception):
    """A transaction failed that could not be undone without those before it."""


class WriteLane(Lane):
    """Owns the writing connection and the file lock. `opened` counts connections, so that the reader follows."""

    def __init__(
        self, files: DatabaseFiles, patience: float, busy: float, max_pages: int | None, long_lived: bool
    ) -> None:
        super().__init__("bridge-store-write", patience)
        self._files = files
        self._lock = FileLock(files)
        self._busy_ms = round(busy * 1000)
        self._max_pages = max_pages
        self._long_lived = long_lived
        self._connection: apsw.Connection | None = None
        self._cursor: apsw.Cursor | None = None
        self._database: Identity | None = None
        self._log: Identity | None = None
        self._version: int | None = None
        self._suspect = False
        self._chain = Chain()
        self._wary = 0
        self._log_pages = 0
        self._fold_at = FOLD_PAGES
        self.opened = 0

    def open(self) -> None:
        """Open or create the database. Runs in the lane."""
        self._open(create=True)

    def renew(self) -> None:
        """Look at the files, and open them again if they are others. Runs in the lane."""
        self._current()

    def shut(self) -> None:
        """Close the connection; the last one of all folds the log into the database. Runs in the lane."""
        connection, self._connection = self._connection, None
        if connection is not None:
            if self._files.identity(self._files.path) == self._database:
                connection.close(True)
            else:
                abandon(connection)

    def close_lock(self) -> None:
        self._lock.close()

    def moved(self) -> bool:
        """Whether another connection committed since the last call. Runs in the lane."""
        if self._connection is None:
            return True
        # the pragma looks at the file; the driver's data_version() waits for the next transaction and counts our own commits
        ((now,),) = self._connection.execute("PRAGMA data_version")
        before, self._version = self._version, now
        return before != self._version

    def _answer_call(self, job: Job) -> None:
        if job.call == self.moved:
            super()._answer_call(job)
            return
        if job.call == self.open:
            # the lock file lies in it
            self._files.prepare_directory()
        self._lock.acquire()
        try:
            super()._answer_call(job)
        finally:
            self._lock.release()

    def _batch(self, jobs: list[Job]) -> None:
        self._lock.acquire()
        try:
            self._commit(jobs, *self._current(), more=True)
        except apsw.Error as error:
            self._spoilt(jobs, error)
        finally:
            self._leave_lock()

    def _batch_at_once(self, jobs: list[Job]) -> bool:
        if not self._lock.acquire(wait=False):
            return False
        try:
            connection, cursor = self._connection, self._cursor
            if connection is None or cursor is None or not self._same_files():
                return False
            connection.set_busy_timeout(0)
            try:
                # what waits is the thread's: nobody here would answer it
                self._commit(jobs, connection, cursor, more=False)
            except apsw.BusyError:
                # a program without the file lock writes: the thread waits for it
                return False
            except apsw.Error as error:
                self._spoilt(jobs, error)
            finally:
                connection.set_busy_timeout(self._busy_ms)
            return True
        finally:
            self._leave_lock()

    def _spoilt(self, jobs: list[Job], error: apsw.Error) -> None:
        for job in jobs:
            job.error = job.error or failed(error)
        self._suspect = self._suspect or not isinstance(error, _KEEPS_CONNECTION)

    def _leave_lock(self) -> None:
        if self._suspect:
            self._drop()
        self._lock.release()

    def _rests(self) -> bool:
        return self._log_pages >= self._fold_at

    def _rest(self) -> None:
        """Fold a long log into the database: SQLite by itself would do it within some caller's COMMIT."""
        if not self._rests() or self._connection is None:
            return
        # a reader elsewhere may hold the log open: try again when it has grown by as much again
        self._fold_at = self._log_pages + FOLD_PAGES
        try:
            self._lock.acquire()
            try:
                self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            finally:
                self._lock.release()
        except (apsw.Error, Unavailable):
            # nothing is lost, the log has it all; the next transaction opens the files again and says what is wrong
            self._drop()

    def _logged(self, connection: apsw.Connection, name: str, pages: int) -> int:
        """SQLite's hook after each commit: `pages` are in the log now. It starts again at its beginning once folded."""
        if pages < self._log_pages:
            self._fold_at = FOLD_PAGES
        self._log_pages = pages
        return apsw.SQLITE_OK

    def _commit(self, jobs: list[Job], connection: apsw.Connection, cursor: apsw.Cursor, *, more: bool) -> None:
        """Run and commit `jobs`, and with `more` those that come meanwhile."""
        try:
            try:
                self._run(jobs, connection, cursor, apart=self._wary > 0, more=more)
                self._wary = max(0, self._wary - 1)
            except _Undone:
                # one that failed took those before it along: all again, each so that it can be undone by itself
                self._wary = WARY
                self._rolled_back(cursor)
                self._run(jobs, connection, cursor, apart=True, more=more)
            if connection.in_transaction:
                self._chain.store(cursor)
                cursor.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                cursor.execute("ROLLBACK")
            raise
        finally:
            self._chain.forget()

    def _run(
        self, jobs: list[Job], connection: apsw.Connection, cursor: apsw.Cursor, *, apart: bool, more: bool
    ) -> None:
        """Run the transactions of a batch up to its COMMIT. `apart`: each in a savepoint.

        Raises _Undone when a transaction without one failed after it had written, and what SQLite says when it rolled back
        what was to be committed.
        """
        served, kept = 0, False
        while served < len(jobs):
            job = jobs[served]
            if not connection.in_transaction:
                cursor.execute("BEGIN IMMEDIATE")
            if job.begin():
                kept = self._run_one(job, connection, cursor, after=kept, apart=apart) or kept
            served += 1
            if more:
                # who came meanwhile is committed with them
                self._drain(jobs)

    def _run_one(self, job: Job, connection: apsw.Connection, cursor: apsw.Cursor, *, after: bool, apart: bool) -> bool:
        """One transaction of a batch. Returns whether it is to be committed; `after`: one before it is.

        The first needs no savepoint: when it fails, nothing else is undone with it.
        """
        if job.work is None:
            return False
        job.error, job.result = None, None
        apart = apart and after
        if apart:
            # what waits belongs to those before it
            self._chain.store(cursor)
            cursor.execute("SAVEPOINT one")
        before, place = connection.total_changes(), self._chain.place()
        run = Statements(connection, cursor, self._chain)
        try:
            job.result = drive(job.work, SqliteTx(run))
            if run.failure is not None:
                raise run.failure
        except BaseException as error:
            job.error = error
            cause = run.failure and run.failure.__cause__
            self._suspect = self._suspect or (cause is not None and not isinstance(cause, _KEEPS_CONNECTION))
            if not connection.in_transaction:
                self._chain.forget()
                if after:
                    # disk full, I/O error: the transactions before this one are undone too
                    raise run.failure or _lost(error) from error
            elif not after:
                self._rolled_back(cursor)
            elif apart:
                cursor.execute("ROLLBACK TO one; RELEASE one")
                self._chain.back_to(place)
            elif connection.total_changes() == before:
                self._chain.back_to(place)
            else:
                raise _Undone from error
            return False
        finally:
            run.live = False
        if apart:
            cursor.execute("RELEASE one")
        return True

    def _rolled_back(self, cursor: apsw.Cursor) -> None:
        cursor.execute("ROLLBACK")
        self._chain.forget()

    def _same_files(self) -> bool:
        return (
            self._files.identity(self._files.path) == self._database
            and self._files.identity(self._files.log) == self._log
        )

    def _current(self) -> tuple[apsw.Connection, apsw.Cursor]:
        """The connection, if its files still are what they were. Raises Unavailable."""
        if self._connection is not None:
            database = self._files.identity(self._files.path)
            if database != self._database:
                self._leave(database)
            elif self._files.identity(self._files.log) != self._log:
                self._rescue()
        if self._connection is None or self._cursor is None:
            return self._open(create=False)
        return self._connection, self._cursor

    def _open(self, *, create: bool) -> tuple[apsw.Connection, apsw.Cursor]:
        connection = open_writer(self._files, self._busy_ms, self._max_pages, create=create)
        if self._long_lived:
            reserve_log(connection, self._files)
        self._database = self._files.identity(self._files.path)
        self._log = self._files.identity(self._files.log)
        self._connection, self._cursor = connection, connection.cursor()
        self._version, self._suspect = None, False
        self._log_pages, self._fold_at = 0, FOLD_PAGES
        connection.set_wal_hook(self._logged)
        self.opened += 1
        return self._connection, self._cursor

    def _leave(self, database: Identity | None) -> None:
        """The database file is gone, or another one is there. Raises Unavailable; the next transaction looks again."""
        self._drop()
        if database is None:
            raise Unavailable(
                "the database file was removed while it was in use", "put it back, or put a backup in its place"
            )
        if self._files.identity(self._files.log) == self._log:
            # SQLite would replay the old database's log into the new one
            self._files.set_log_aside()
        raise Unavailable(
            "the database file was replaced while it was in use", "repeat the call: the new file is used from now on"
        )

    def _rescue(self) -> None:
        """The log was removed under us: our descriptor still has it, so fold it into the database before it is lost."""
        if self._connection is not None and self._files.identity(self._files.log) is None:
            self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_FULL)
        self._drop()

    def _drop(self) -> None:
        connection, self._connection, self._cursor = self._connection, None, None
        if connection is not None:
            abandon(connection)


def _lost(error: BaseException) -> BridgeError:
    return translated(error) if isinstance(error, Exception) else Unavailable("the transaction was interrupted")
