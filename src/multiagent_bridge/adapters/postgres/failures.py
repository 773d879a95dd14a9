"""What an error of PostgreSQL or of the way to it means to a caller. No text of a driver's error is ever passed on."""

from __future__ import annotations

import ssl

from multiagent_bridge.adapters.postgres.driver import pg
from multiagent_bridge.errors import BridgeError, Conflict, Invalid, NotFound, Tampered, Unavailable

RETRY_SECONDS = 1.0
"""After what time a caller may try again when the database is away: a restart takes about that long."""

LOST: tuple[type[BaseException], ...] = (
    pg.PostgresConnectionError,
    pg.AdminShutdownError,
    pg.CrashShutdownError,
    pg.CannotConnectNowError,
    pg.IdleInTransactionSessionTimeoutError,
    pg.IdleSessionTimeoutError,
    pg.DatabaseDroppedError,
    pg.InternalClientError,
    # its prepared statements are of an older schema: another hub migrated
    pg.InvalidCachedStatementError,
    OSError,
    EOFError,
    TimeoutError,
)
"""The connection is gone, or of no more use."""

RACED: tuple[type[BaseException], ...] = (pg.SerializationError, pg.DeadlockDetectedError)
"""The transaction lost a race and may be run again."""

_WAIT = "wait a moment, then repeat the call"

_GONE = "the database cannot be reached", "see that PostgreSQL runs and can be reached: mab doctor"

_MEANINGS: tuple[tuple[tuple[type[BaseException], ...], str, str], ...] = (
    (
        (ssl.SSLCertVerificationError,),
        "the certificate of the database's server is not believed",
        "see its names and dates, and the authorities that sslrootcert of the store URL names",
    ),
    (LOST, *_GONE),
    ((pg.LockNotAvailableError,), "another hub has held the journal for too long", _WAIT),
    ((pg.QueryCanceledError,), "the database took too long to answer", _WAIT),
    (RACED, "the database has too much to do at once", _WAIT),
    (
        (pg.TooManyConnectionsError,),
        "the database takes no more connections",
        "raise max_connections of PostgreSQL, or lower postgres.pool_size",
    ),
    ((pg.DiskFullError,), "the disk of the database is full", "free some space, then repeat the call"),
    ((pg.InsufficientResourcesError,), "the database has run out of memory", _WAIT),
    (
        (pg.InvalidAuthorizationSpecificationError,),
        "PostgreSQL does not let this user in",
        "check user and password: postgres.password, or PGPASSFILE",
    ),
    ((pg.InvalidCatalogNameError,), "there is no such database on the server", "make it: createdb NAME"),
    (
        (pg.InsufficientPrivilegeError,),
        "this user may not do that in the database",
        "let it own the schema bridge, or the database",
    ),
    (
        (pg.ReadOnlySQLTransactionError,),
        "the database takes no writes",
        "name the primary server, not a replica, in the store URL",
    ),
)


def translated(error: BaseException) -> BridgeError:
    """The bridge's error for one of the driver's, which becomes its cause. Each call makes a new one."""
    found = _meaning(error)
    found.__cause__ = error
    return found


def uncertain(error: BaseException | None) -> Unavailable:
    """A connection that broke while it was committing: whether the act was done cannot be known."""
    found = Unavailable(
        "the database was lost while it committed, so the outcome is unknown",
        "repeat the call with the same idempotency_key: that is safe",
        retry_after=RETRY_SECONDS,
        outcome="unknown",
    )
    found.__cause__ = error
    return found


def is_lost(error: BaseException) -> bool:
    """Whether the connection must not be used again."""
    if isinstance(error, pg.InterfaceError):
        # asyncpg's word for a connection that closed under a statement, and for a value of the wrong type
        return not isinstance(error, pg.DataError)
    return isinstance(error, LOST)


def _meaning(error: BaseException) -> BridgeError:
    if isinstance(error, pg.UniqueViolationError):
        return Conflict("it exists already", "read it again before you repeat the call")
    if isinstance(error, pg.ForeignKeyViolationError):
        return NotFound("the conversation or session it belongs to does not exist", "mab list shows them")
    if isinstance(error, (pg.IntegrityConstraintViolationError, pg.PostgresError)) and error.sqlstate[:2] == "23":
        return Invalid("a value cannot be stored", "the database refused its type or range")
    if isinstance(error, (pg.DataError, OverflowError, UnicodeEncodeError)) or _is_value(error):
        return Invalid("a value cannot be stored", "send smaller numbers or texts, and text that is valid Unicode")
    if isinstance(error, (pg.DataCorruptedError, pg.IndexCorruptedError)):
        return Tampered("the database is damaged", "run mab doctor, then put a backup in its place")
    if isinstance(error, pg.InterfaceError):
        return _unavailable(*_GONE)
    for kinds, sentence, hint in _MEANINGS:
        if isinstance(error, kinds):
            return _unavailable(sentence, hint)
    return _unavailable("the database failed", "run mab doctor")


def _is_value(error: BaseException) -> bool:
    """Class 22 of SQLSTATE: the value, not the statement, was wrong."""
    return isinstance(error, pg.PostgresError) and str(getattr(error, "sqlstate", ""))[:2] == "22"


def _unavailable(sentence: str, hint: str) -> Unavailable:
    return Unavailable(sentence, hint, retry_after=RETRY_SECONDS)
