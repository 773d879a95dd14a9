"""What an error of SQLite means to a caller."""

from __future__ import annotations

import apsw

from multiagent_bridge.errors import BridgeError, Conflict, Invalid, NotFound, Tampered, Unavailable

_UNIQUE = (apsw.SQLITE_CONSTRAINT_UNIQUE, apsw.SQLITE_CONSTRAINT_PRIMARYKEY, apsw.SQLITE_CONSTRAINT_ROWID)

_MEANINGS: tuple[tuple[tuple[type[Exception], ...], type[BridgeError], str, str], ...] = (
    (
        (apsw.BusyError, apsw.LockedError),
        Unavailable,
        "the database is locked by another program",
        "close what holds it (a SQLite shell, a backup), then repeat the call",
    ),
    ((apsw.FullError,), Unavailable, "the disk or the database is full", "free some space, then repeat the call"),
    (
        (apsw.ReadOnlyError,),
        Unavailable,
        "the database cannot be written to",
        "give this user write access to the database file and its directory",
    ),
    (
        (apsw.CantOpenError, apsw.PermissionsError, apsw.AuthError),
        Unavailable,
        "the database cannot be opened",
        "check that its directory exists and belongs to this user: mab doctor",
    ),
    (
        (apsw.CorruptError, apsw.NotADBError, apsw.FormatError),
        Tampered,
        "the database file is damaged",
        "run mab doctor, then put a backup in its place",
    ),
    ((apsw.IOError,), Unavailable, "the disk failed to read or write the database", "check the disk: mab doctor"),
    (
        (apsw.NoMemError, MemoryError),
        Unavailable,
        "not enough memory for the database",
        "free some, then repeat the call",
    ),
)


def translated(error: Exception) -> BridgeError:
    """The bridge's error for one of the driver's, which becomes its cause. Each call makes a new one."""
    found = _meaning(error)
    found.__cause__ = error
    return found


def _meaning(error: Exception) -> BridgeError:
    if isinstance(error, apsw.ConstraintError):
        return _constraint(error)
    if isinstance(error, (apsw.TooBigError, OverflowError, UnicodeEncodeError)):
        return Invalid("a value cannot be stored", "send smaller numbers or texts, and text that is valid Unicode")
    for kinds, meaning, sentence, hint in _MEANINGS:
        if isinstance(error, kinds):
            return meaning(sentence, hint)
    return Unavailable("the database failed", "run mab doctor")


def _constraint(error: apsw.ConstraintError) -> BridgeError:
    code: int = getattr(error, "extendedresult", 0)
    if code in _UNIQUE:
        return Conflict("it exists already", "read it again before you repeat the call")
    if code == apsw.SQLITE_CONSTRAINT_FOREIGNKEY:
        return NotFound("the conversation or session it belongs to does not exist", "mab list shows them")
    return Invalid("a value cannot be stored", "the database refused its type or range")


def is_final(error: Exception) -> bool:
    """Whether the transaction must not be committed after this error: everything but a refused row or value."""
    return not isinstance(error, (apsw.ConstraintError, apsw.TooBigError, OverflowError, UnicodeEncodeError))
