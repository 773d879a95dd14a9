"""Opening one connection: the SQLite version, pragmas, schema."""

from __future__ import annotations

from contextlib import suppress

import apsw

from multiagent_bridge.adapters.sqlite.failures import translated
from multiagent_bridge.adapters.sqlite.files import DatabaseFiles
from multiagent_bridge.adapters.sqlite.queries import migrations
from multiagent_bridge.errors import Unavailable

APPLICATION_ID = 0x4D414252
"""`MABR` in the file's header: tells our database from any other SQLite file."""

MIGRATIONS = migrations()

_LOG_BYTES_KEPT = 16 * 1024 * 1024

LOG_BYTES_RESERVED = 6 * 1024 * 1024
"""A log is folded into the database at 1,000 pages, some 4 MB, and overwritten from its beginning then."""


def refuse_unsafe(version: str) -> None:
    """Raises Unavailable for a SQLite whose WAL-reset bug corrupts a file that several processes write.

    Affected: 3.7.0 to 3.51.2, but for the backports 3.50.7 and 3.44.6 (sqlite.org/wal.html; engine notes, section 10).
    """
    major, minor, patch = (int(part) for part in version.split(".")[:3])
    fixed_from = {44: 6, 50: 7, 51: 3}.get(minor, 0 if minor > 51 else None)
    if major < 3 or (major == 3 and (fixed_from is None or patch < fixed_from)):
        raise Unavailable(
            f"SQLite {version} can corrupt a database that several processes share",
            "install a fixed one: pip install --upgrade apsw",
        )


def open_writer(files: DatabaseFiles, busy_ms: int, max_pages: int | None, *, create: bool) -> apsw.Connection:
    """The writing connection, schema brought up to date. Call it under the file lock. Raises Unavailable, Tampered."""
    refuse_unsafe(apsw.sqlite_lib_version())
    files.prepare_directory()
    files.refuse_planted()
    if create:
        files.create()
    connection = _connect(files, busy_ms)
    try:
        _check_version(connection)
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone() or ("",)
        if mode != "wal":
            raise Unavailable(
                "this file system cannot hold the database", "use a local disk, not a network file system: MAB_HOME"
            )
        connection.execute("PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON")
        # what was erased is overwritten: a wrapped key left in a free page would undo the erasure
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute(f"PRAGMA foreign_keys = ON; PRAGMA journal_size_limit = {_LOG_BYTES_KEPT}")
        if max_pages is not None:
            connection.execute(f"PRAGMA max_page_count = {max_pages}")
        _migrate(connection)
    except BaseException as error:
        abandon(connection)
        if isinstance(error, apsw.Error):
            raise translated(error) from error
        raise
    return connection


def reserve_log(connection: apsw.Connection, files: DatabaseFiles) -> None:
    """Make the log as long as it will get, so that commits overwrite it. Without room for it they are only slower."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        with suppress(OSError):
            files.reserve_log(LOG_BYTES_RESERVED)
    finally:
        connection.execute("ROLLBACK")


def open_reader(files: DatabaseFiles, busy_ms: int) -> apsw.Connection:
    """A connection that cannot write. The writer was opened before it. Raises Unavailable, Tampered."""
    files.refuse_planted()
    connection = _connect(files, busy_ms)
    try:
        connection.execute("PRAGMA query_only = ON")
        _check_version(connection)
    except BaseException as error:
        abandon(connection)
        if isinstance(error, apsw.Error):
            raise translated(error) from error
        raise
    return connection


def abandon(connection: apsw.Connection) -> None:
    """Close it without touching the files beside the database, which may be another database's by now."""
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    connection.close(True)


def _connect(files: DatabaseFiles, busy_ms: int) -> apsw.Connection:
    if files.identity(files.path) is None:
        raise Unavailable("the database file is gone", "put it back, or put a backup in its place")
    try:
        connection = apsw.Connection(
            str(files.path), flags=apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_NOFOLLOW, statementcachesize=200
        )
    except apsw.Error as error:
        raise translated(error) from error
    connection.set_busy_timeout(busy_ms)
    # without it this build (STAT4) compiles a statement again whenever a parameter in its WHERE has changed
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    if connection.readonly("main"):
        abandon(connection)
        raise Unavailable(
            "the database cannot be written to", "give this user write access to the database file and its directory"
        )
    return connection


def _check_version(connection: apsw.Connection) -> int:
    """The schema's version. Raises Unavailable when a newer program or another program made this file."""
    ((version, application, tables),) = connection.execute(
        "SELECT (SELECT user_version FROM pragma_user_version), (SELECT application_id FROM pragma_application_id),"
        " (SELECT count(*) FROM sqlite_schema)"
    )
    if application != (APPLICATION_ID if tables else 0):
        raise Unavailable("the file is a database of another program", "name another one: --store sqlite:///PATH")
    if version > len(MIGRATIONS):
        raise Unavailable(
            f"the database is of a newer version ({version}) than this program knows ({len(MIGRATIONS)})",
            "upgrade the program",
        )
    return int(version)


def _migrate(connection: apsw.Connection) -> None:
    """Apply the missing steps in one transaction: all of them or none."""
    if _check_version(connection) == len(MIGRATIONS):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for number in range(_check_version(connection) + 1, len(MIGRATIONS) + 1):
            connection.execute(MIGRATIONS[number - 1])
            connection.execute(f"PRAGMA user_version = {number}; PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
