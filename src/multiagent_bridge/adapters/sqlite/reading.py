"""The reading lane: snapshots that never wait for a writer or its fsync."""

from __future__ import annotations

import apsw

from multiagent_bridge.adapters.driving import drive
from multiagent_bridge.adapters.sqlite.files import DatabaseFiles, Identity
from multiagent_bridge.adapters.sqlite.lanes import Job, Lane, failed
from multiagent_bridge.adapters.sqlite.opening import abandon, open_reader
from multiagent_bridge.adapters.sqlite.statements import Statements
from multiagent_bridge.adapters.sqlite.tx import SqliteTx
from multiagent_bridge.adapters.sqlite.writing import WriteLane
from multiagent_bridge.errors import Unavailable


class Stale(Unavailable):
    """The files are not what this connection opened: the writing lane must look at them first."""


class ReadLane(Lane):
    """Owns a connection that cannot write; opens it again whenever the writing lane has done so."""

    def __init__(self, files: DatabaseFiles, writer: WriteLane, patience: float, busy: float) -> None:
        super().__init__("bridge-store-read", patience)
        self._files = files
        self._writer = writer
        self._busy_ms = round(busy * 1000)
        self._connection: apsw.Connection | None = None
        self._cursor: apsw.Cursor | None = None
        self._database: Identity | None = None
        self._opened = 0

    def shut(self) -> None:
        """Close the connection. Runs in the lane."""
        connection, self._connection, self._cursor = self._connection, None, None
        if connection is not None:
            abandon(connection)

    def _batch(self, jobs: list[Job]) -> None:
        connection, cursor = self._current()
        self._drain(jobs)
        try:
            cursor.execute("BEGIN")
            for job in jobs:
                if job.begin():
                    _run(job, connection, cursor)
            cursor.execute("COMMIT")
        except apsw.Error as error:
            for job in jobs:
                job.error = job.error or failed(error)
            self.shut()
        finally:
            if connection is self._connection and connection.in_transaction:
                cursor.execute("ROLLBACK")

    def _current(self) -> tuple[apsw.Connection, apsw.Cursor]:
        opened = self._writer.opened
        if self._opened != opened:
            self.shut()
        if self._connection is None or self._cursor is None:
            self._connection = open_reader(self._files, self._busy_ms)
            self._cursor = self._connection.cursor()
            self._database = self._files.identity(self._files.path)
            self._opened = opened
        elif self._files.identity(self._files.path) != self._database:
            raise Stale("the database file was removed or replaced while it was in use", "repeat the call")
        return self._connection, self._cursor


def _run(job: Job, connection: apsw.Connection, cursor: apsw.Cursor) -> None:
    if job.work is None:
        return
    run = Statements(connection, cursor, None)
    try:
        job.result = drive(job.work, SqliteTx(run))
        if run.failure is not None:
            raise run.failure
    except BaseException as error:
        job.error = error
    finally:
        run.live = False
